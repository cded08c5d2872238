/** Line charts in SVG: a training line, validation dots over it, and a reading of both at the pointer. */

import { el } from "./dom.js";
import { formatNumber } from "./text.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 12, bottom: 24, left: 46 };
/** From this many points on a line is drawn smoothed, over the points themselves. */
const MANY = 80;
/** Share of the points that the smoothing reaches over. */
const SPAN = 0.03;
/** Pixels that a tick of an axis needs. */
const TICK = { x: 64, y: 36 };

/** A new element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticksOf(low, high, count, whole = false) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * 0.999);
  const step = whole ? Math.max(1, factor * power) : factor * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}

/** An exponential mean over the neighbours before, without the pull of its beginning to zero. */
function smoothed(points, span) {
  const decay = 1 - 1 / Math.max(1, span);
  let sum = 0;
  let weight = 0;
  return points.map(([x, y]) => {
    sum = decay * sum + y;
    weight = decay * weight + 1;
    return [x, sum / weight];
  });
}

/** Where a line begins anew, x goes back. */
function pathOf(points, place) {
  return points
    .map(([x, y], index) => {
      const isStart = index === 0 || x < points[index - 1][0];
      return `${isStart ? "M" : "L"}${place.x(x).toFixed(1)} ${place.y(y).toFixed(1)}`;
    })
    .join("");
}

const nearest = (points, x) =>
  points.reduce((best, point) => (best === null || Math.abs(point[0] - x) <= Math.abs(best[0] - x) ? point : best), null);

/** Limits of the values: those of the smoothed line and the dots, so that a single peak does not flatten all. */
function limitsOf(values, { low = null, high = null }) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const room = 0.06 * (most - least) || Math.abs(most) * 0.1 || 1;
  return [low ?? least - room, high ?? most + room];
}

/**
 * A chart. `format(y)` writes a value, `limits(values)` may fix {low, high} of the y axis, `smooth` is for what is
 * noisy. Returns {element, update({train, validation, domain, best, unit})}: points [[x, y], ...], `domain` [from, to]
 * of x, `best` the x of the weights that are kept or null, `unit` what x counts.
 */
export function lineChart({ title, height = 200, format = formatNumber, smooth = true, limits = () => ({}) }) {
  const reading = el("span", { class: "chart-reading" });
  const plot = el("div", { class: "chart-plot" });
  const element = el("figure", { class: "chart" }, el("figcaption", {}, el("b", {}, title), reading), plot);
  plot.style.setProperty("--height", `${height}px`);
  let data = null;
  /** How the x and y of the last drawing are placed. */
  let place = null;
  let pointer = null;

  function read() {
    const last = (points) => points.at(-1) ?? null;
    const at = pointer === null ? null : place.reverse(pointer);
    const train = at === null ? last(data.line) : nearest(data.line, at);
    const validation = at === null ? last(data.validation) : nearest(data.validation, at);
    const item = (name, words, point) => (point ? [el("span", { class: name }, words, el("b", {}, format(point[1])))] : []);
    const when = at === null || !train ? [] : [el("span", {}, `${data.unit} ${formatNumber(train[0])}`)];
    const named = validation ? ["key fitted", "training "] : ["", ""];
    reading.replaceChildren(...when, ...item(...named, train), ...item("key validation", "validation ", validation));
  }

  function draw() {
    const width = plot.clientWidth;
    if (!data || width === 0) return;
    const { train, line, validation, domain, best } = data;
    const values = [...line, ...validation].map(([, y]) => y);
    const [low, high] = limitsOf(values.length ? values : [0, 1], limits(values));
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const [from, to] = domain;
    place = {
      x: (x) => MARGIN.left + (inner.width * (x - from)) / (to - from || 1),
      y: (y) => MARGIN.top + inner.height * (1 - (Math.min(high, Math.max(low, y)) - low) / (high - low || 1)),
      reverse: (pixel) => from + ((pixel - MARGIN.left) / inner.width) * (to - from),
    };
    const bottom = MARGIN.top + inner.height;
    const rows = ticksOf(low, high, inner.height / TICK.y).flatMap((value) => [
      svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: place.y(value), y2: place.y(value) }),
      svg("text", { x: MARGIN.left - 8, y: place.y(value) + 4, "text-anchor": "end" }, format(value)),
    ]);
    const columns = ticksOf(from, to, inner.width / TICK.x, true).map((value) =>
      svg("text", { x: place.x(value), y: bottom + 17, "text-anchor": "middle" }, formatNumber(value)),
    );
    const unit = svg("text", { class: "unit", x: MARGIN.left - 8, y: bottom + 17, "text-anchor": "end" }, data.unit);
    // The word is where the lines are not: they hardly cross the chart within its width.
    const there = best === null ? null : (nearest(validation, best) ?? nearest(line, best));
    const isHigh = there !== null && place.y(there[1]) < MARGIN.top + inner.height / 2;
    const mark = best === null ? [] : [
          svg("line", { class: "best", x1: place.x(best), x2: place.x(best), y1: MARGIN.top, y2: bottom }),
          svg("text", { x: place.x(best) - 5, y: isHigh ? bottom - 7 : MARGIN.top + 10, "text-anchor": "end" }, "kept"),
        ];
    const dots = validation.map(([x, y]) => svg("circle", { class: "dot", cx: place.x(x), cy: place.y(y), r: validation.length > 60 ? 2 : 3.5 }));
    plot.replaceChildren(
      svg(
        "svg",
        { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
        ...rows,
        svg("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom }),
        ...columns,
        unit,
        ...mark,
        line === train ? null : svg("path", { class: "raw", d: pathOf(train, place) }),
        svg("path", { class: "train", d: pathOf(line, place) }),
        svg("path", { class: "validation", d: pathOf(validation, place) }),
        ...dots,
        svg("line", { class: "cursor", x1: 0, x2: 0, y1: MARGIN.top, y2: bottom, visibility: "hidden" }),
      ),
    );
    read();
    follow();
  }

  /** Show the line at the pointer. */
  function follow() {
    const cursor = plot.querySelector(".cursor");
    if (!cursor) return;
    cursor.setAttribute("visibility", pointer === null ? "hidden" : "visible");
    cursor.setAttribute("transform", `translate(${pointer ?? 0})`);
  }

  function point(next) {
    pointer = next;
    if (!place) return;
    read();
    follow();
  }

  plot.addEventListener("pointermove", (event) => {
    const { left, width } = plot.getBoundingClientRect();
    point(Math.min(width - MARGIN.right, Math.max(MARGIN.left, event.clientX - left)));
  });
  plot.addEventListener("pointerleave", () => point(null));
  new ResizeObserver(draw).observe(plot);

  return {
    element,
    update(next) {
      const line = smooth && next.train.length > MANY ? smoothed(next.train, SPAN * next.train.length) : next.train;
      data = { ...next, line };
      draw();
    },
  };
}
