/** The numbers of a job's result as tables. */

import { el } from "./dom.js";
import { formatNumber, spaced } from "./text.js";

/** Parts of a result that every kind has, and that are shown elsewhere or are for programs. */
const NOT_SHOWN = new Set(["recipe", "compute_seconds"]);

const isPlain = (value) => value === null || typeof value !== "object";
/** "losses.style.relu3_1" as "losses · style · relu3_1". */
const words = (name) => spaced(name).replaceAll(".", " · ");
const isEmpty = (value) => Array.isArray(value) && value.length === 0;

/** The beginning of a SHA-256; all of it is in the JSON. */
const shortened = (text) => (/^[0-9a-f]{64}$/.test(text) ? `${text.slice(0, 12)}…` : text);

function format(value) {
  // Counts are exact.
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (typeof value === "number") return formatNumber(value);
  if (isPlain(value)) return value === null ? "–" : shortened(String(value));
  if (Array.isArray(value)) return value.map(format).join(", ");
  // An entry of a ranking: "spiral 0.82".
  const parts = Object.values(value).filter((part) => isPlain(part) && !Number.isInteger(part));
  return parts.map(format).join(" ");
}

/** {a: {b: 1}, c: [..]} as [["a.b", 1], ["c", [..]]]. */
function flatten(object, prefix = "") {
  return Object.entries(object).flatMap(([name, value]) =>
    isPlain(value) || Array.isArray(value) ? [[prefix + name, value]] : flatten(value, `${prefix}${name}.`),
  );
}

/** A table as the service writes it: {columns: [..], rows: [[..], ..]}. */
const isTable = (value) => Array.isArray(value?.columns) && Array.isArray(value?.rows);
const isRow = (value) => !isPlain(value) && !Array.isArray(value);
const isRows = (value) => Array.isArray(value) && value.length > 0 && value.every(isRow);

/** Longer texts are broken into lines. */
const MAX_LINE = 40;

function cell(value, isNumber = typeof value === "number") {
  const text = format(value);
  const classes = [isNumber ? "number" : null, text.length > MAX_LINE ? "long" : null].filter(Boolean);
  return el("td", { class: classes.join(" ") || null }, text);
}

/** Rows of cells; in a column with numbers all are to the right. */
function linesOf(rows) {
  const numeric = (rows[0] ?? []).map((_, place) => rows.some((row) => typeof row[place] === "number"));
  return rows.map((row) => el("tr", {}, ...row.map((value, place) => cell(value ?? null, numeric[place]))));
}

function table(caption, head, rows) {
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", {}, caption),
      head && el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, words(name))))),
      el("tbody", {}, ...rows),
    ),
  );
}

function tableOfRows(name, entries) {
  const rows = entries.map((entry) => new Map(flatten(entry)));
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  return table(words(name), columns, linesOf(rows.map((row) => columns.map((column) => row.get(column)))));
}

function tableOfPairs(name, pairs) {
  const lines = pairs.map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, words(key)), cell(value)));
  return table(words(name), null, lines);
}

/** Tables of a job's result, `without` some of its parts; none if it has no numbers. */
export function tablesOf(result, without) {
  const isShown = ([name, value]) => !NOT_SHOWN.has(name) && !without.includes(name) && !isEmpty(value);
  const entries = Object.entries(result ?? {}).filter(isShown);
  const single = entries.filter(([, value]) => isPlain(value) || (Array.isArray(value) && !isRows(value)));
  const tables = entries
    .filter(([, value]) => !isPlain(value))
    .flatMap(([name, value]) => {
      if (isRows(value)) return [tableOfRows(name, value)];
      if (isTable(value)) {
        return [table(words(name), value.columns, linesOf(value.rows))];
      }
      if (Array.isArray(value)) return [];
      const inner = flatten(value);
      const pairs = inner.filter(([, part]) => !isRows(part));
      const rows = inner.filter(([, part]) => isRows(part));
      return [
        ...(pairs.length ? [tableOfPairs(name, pairs)] : []),
        ...rows.map(([key, part]) => tableOfRows(`${name}.${key}`, part)),
      ];
    });
  return single.length ? [tableOfPairs("result", single), ...tables] : tables;
}
