/** A grid of cells of which only those in view are in the document. */

import { pictureUrl } from "./api.js";
import { el } from "./dom.js";
import { tileUrl } from "./jobs.js";

/** Pixels between cells. */
const GAP = 4;
/** Sides of a cell in pixels: as large as the width allows. */
const SMALLEST = 72;
const LARGEST = 240;
/** The share of its side that a cell may lose for all rows to be in view. */
const LEAST_SHARE = 0.7;
/** Wide screens have headers of this size, narrow ones less. */
const HEADER = 88;
const NARROW = 480;
const NARROW_HEADER = 56;
/** Side of a cell of a plain grid, about. */
const GRID_SIDE = 132;
/** Rows and columns beyond the view that are kept ready. */
const BEYOND = 1;

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** Where a key moves from a line: {line} may be out of the grid's bounds, then it stays. */
export function moved(line, key, columns, lines) {
  const [down, right] = MOVES[key];
  const column = ((line - 1) % columns) + right;
  const next = line + down * columns + right;
  return column < 0 || column >= columns || next < 1 || next > lines ? line : next;
}

/**
 * The grid. `draw(cell, line)` fills a cell and gives its name; `onopen(line)` is called for a click or Enter,
 * `onpoint(line)` for the cell that the pointer or the focus is on, null for none; `onview(lines)` for what is in view.
 * Returns {element, layOut(lines, table), redraw(), focus(line), columns()}.
 */
export function makeMatrix({ label, draw, onopen, onpoint, onview }) {
  const canvas = el("div", { class: "matrix-canvas", role: "presentation" });
  const element = el("div", { class: "matrix", role: "grid", "aria-label": label, "aria-readonly": "true" }, canvas);
  const corner = el("div", { class: "matrix-corner", role: "columnheader" }, el("span", { class: "visually-hidden" }, "Made from"));
  const head = el("div", { class: "matrix-head", role: "row", "aria-rowindex": 1 }, corner);
  /** Elements of rows, of cells by line, and of column headers by column. */
  const rows = new Map();
  const cells = new Map();
  const heads = new Map();
  let lines = 0;
  let table = null;
  let columns = 1;
  let side = SMALLEST;
  let headerSize = 0;
  let active = 1;
  let frame = 0;
  /** The width that the layout is for. */
  let measured = 0;

  const rowCount = () => Math.ceil(lines / columns);
  const step = () => side + GAP;

  function measure() {
    const width = element.clientWidth;
    if (width === 0) return;
    const hadFocus = element.contains(document.activeElement);
    measured = width;
    const maxHeight = parseFloat(getComputedStyle(element).maxHeight);
    headerSize = table ? (width < NARROW ? NARROW_HEADER : HEADER) : 0;
    if (table) {
      columns = table.columns.length;
      side = Math.floor((width - headerSize - GAP) / columns) - GAP;
      // A little smaller, if all rows are in view then.
      const fitting = Math.floor((maxHeight - headerSize - GAP) / rowCount()) - GAP;
      if (fitting > LEAST_SHARE * side) side = Math.min(side, fitting);
    } else {
      columns = Math.min(Math.max(2, Math.round(width / (width < NARROW ? 0.75 * GRID_SIDE : GRID_SIDE))), Math.max(lines, 1));
      const sideOf = (count) => Math.floor((width + GAP) / count) - GAP;
      // Few cells are larger, as long as all of them are in view.
      const fits = (count) => sideOf(count) <= LARGEST && Math.ceil(lines / count) * (sideOf(count) + GAP) <= maxHeight;
      while (columns > 2 && fits(columns - 1)) columns -= 1;
      side = sideOf(columns);
    }
    side = Math.max(SMALLEST, Math.min(LARGEST, side));
    canvas.style.setProperty("--cell", `${side}px`);
    canvas.style.setProperty("--header", `${headerSize}px`);
    canvas.style.setProperty("width", `${headerSize + (headerSize ? GAP : 0) + columns * step() - GAP}px`);
    canvas.style.setProperty("height", `${headerSize + (headerSize ? GAP : 0) + rowCount() * step() - GAP}px`);
    element.setAttribute("aria-rowcount", String(rowCount() + (table ? 1 : 0)));
    element.setAttribute("aria-colcount", String(columns + (table ? 1 : 0)));
    for (const row of rows.values()) row.remove();
    for (const each of heads.values()) each.remove();
    rows.clear();
    cells.clear();
    heads.clear();
    head.hidden = !table;
    render();
    if (hadFocus) focus(active);
  }

  /** The first and last of `count` steps that are in view. */
  function range(offset, size, count) {
    const first = Math.max(0, Math.floor(offset / step()) - BEYOND);
    return [first, Math.min(count - 1, Math.floor((offset + size) / step()) + BEYOND)];
  }

  const place = (index) => `${headerSize + (headerSize ? GAP : 0) + index * step()}px`;

  function header({ label: text, image }, role) {
    const name = el("span", { class: image ? "visually-hidden" : "" }, text);
    // A picture that was deleted, or is damaged, is named instead.
    const showName = (event) => {
      event.target.remove();
      name.className = "";
    };
    const picture = image && el("img", { src: tileUrl(pictureUrl(image)), alt: "", loading: "lazy", decoding: "async", draggable: "false", onerror: showName });
    return el("div", { class: "matrix-header", role, title: text }, picture, name);
  }

  function rowAt(row) {
    let made = rows.get(row);
    if (!made) {
      made = el("div", { class: "matrix-row", role: "row", "aria-rowindex": row + (table ? 2 : 1) });
      made.style.setProperty("top", place(row));
      if (table) made.append(header(table.rows[row], "rowheader"));
      rows.set(row, made);
      canvas.append(made);
    }
    return made;
  }

  function headAt(column) {
    if (heads.has(column)) return;
    const made = header(table.columns[column], "columnheader");
    made.style.setProperty("left", place(column));
    heads.set(column, made);
    head.append(made);
  }

  function cellAt(line) {
    let cell = cells.get(line);
    if (!cell) {
      const column = (line - 1) % columns;
      cell = el("div", { class: "cell", role: "gridcell", "data-line": line, "aria-colindex": column + (table ? 2 : 1) });
      cell.style.setProperty("left", place(column));
      cells.set(line, cell);
      rowAt(Math.floor((line - 1) / columns)).append(cell);
    }
    cell.tabIndex = line === active ? 0 : -1;
    const name = draw(cell, line);
    if (cell.getAttribute("aria-label") !== name) cell.setAttribute("aria-label", name);
  }

  function render() {
    if (lines === 0 || element.clientWidth === 0) return;
    const [top, bottom] = range(element.scrollTop, element.clientHeight, rowCount());
    const [left, right] = range(element.scrollLeft, element.clientWidth, columns);
    const seen = [];
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const line = row * columns + column + 1;
        if (line <= lines) seen.push(line);
      }
    }
    const kept = new Set(seen);
    for (const [line, cell] of cells) {
      // What has the focus keeps it, wherever one scrolls.
      if (kept.has(line) || cell === document.activeElement) continue;
      cell.remove();
      cells.delete(line);
    }
    for (const [row, node] of rows) {
      if ((row >= top && row <= bottom) || node.contains(document.activeElement)) continue;
      node.remove();
      rows.delete(row);
    }
    if (table) {
      for (const [column, node] of heads) {
        if (column >= left && column <= right) continue;
        node.remove();
        heads.delete(column);
      }
      for (let column = left; column <= right; column += 1) headAt(column);
    }
    // Tab reaches a cell that is in view.
    if (!element.contains(document.activeElement) && !kept.has(active)) active = seen[0] ?? 1;
    for (const line of new Set([...seen, ...cells.keys()])) cellAt(line);
    onview(seen);
  }

  function schedule() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      render();
    });
  }

  /** Scroll a line into view, and give its cell the focus. */
  function focus(line) {
    active = Math.min(Math.max(1, line), lines);
    const [row, column] = [Math.floor((active - 1) / columns), (active - 1) % columns];
    const inset = headerSize + (headerSize ? GAP : 0);
    const seen = (offset, size, index) => {
      const from = index * step();
      if (from < offset) return from;
      return Math.max(offset, from + step() + inset - size);
    };
    element.scrollTop = seen(element.scrollTop, element.clientHeight, row);
    element.scrollLeft = seen(element.scrollLeft, element.clientWidth, column);
    render();
    cells.get(active)?.focus({ preventScroll: true });
  }

  const lineOf = (event) => Number(event.target.closest(".cell")?.dataset.line ?? 0);

  /** Where a key moves, or null. */
  function target(event, line) {
    const { key } = event;
    if (key in MOVES) return moved(line, key, columns, lines);
    const page = Math.max(1, Math.floor(element.clientHeight / step()) - 1) * columns;
    const first = line - ((line - 1) % columns);
    if (key === "Home") return event.ctrlKey ? 1 : first;
    if (key === "End") return event.ctrlKey ? lines : Math.min(lines, first + columns - 1);
    if (key === "PageUp") return Math.max(((line - 1) % columns) + 1, line - page);
    return key === "PageDown" ? Math.min(lines, line + page) : null;
  }

  element.addEventListener("keydown", (event) => {
    const line = lineOf(event);
    if (!line) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onopen(line);
      return;
    }
    const next = target(event, line);
    if (next === null) return;
    event.preventDefault();
    focus(next);
  });
  element.addEventListener("click", (event) => {
    const line = lineOf(event);
    if (!line) return;
    active = line;
    onopen(line);
  });
  element.addEventListener("pointerover", (event) => onpoint(lineOf(event) || null));
  element.addEventListener("pointerleave", () => onpoint(null));
  element.addEventListener("focusin", (event) => onpoint(lineOf(event) || null));
  element.addEventListener("focusout", () => onpoint(null));
  element.addEventListener("scroll", schedule, { passive: true });
  new ResizeObserver(() => (element.clientWidth === measured ? render() : measure())).observe(element);
  canvas.append(head);

  return {
    element,
    /** Lay out so many lines, in the rows and columns of a table (see tableOf), or in a plain grid. */
    layOut(count, next) {
      lines = count;
      table = next;
      active = 1;
      element.toggleAttribute("data-table", table !== null);
      element.scrollTo(0, 0);
      measure();
    },
    redraw: schedule,
    focus,
    columns: () => columns,
  };
}
