/** The numbers of a job as tables that a person can read. */

import { el } from "./dom.js";
import { figure } from "./text.js";

/** Parts of a result that are shown elsewhere, or mean something to programs alone. */
const ELSEWHERE = new Set(["recipe", "compute_seconds"]);

const isPlain = (value) => value === null || typeof value !== "object";
/** "objective_before" as words; names of layers (relu3_1) stay what they are. */
const words = (name) => name.replace(/(?<=[a-z])_(?=[a-z])/g, " ").replaceAll(".", " · ");
const isEmpty = (value) => Array.isArray(value) && value.length === 0;

function shown(value) {
  if (typeof value === "number") return figure(value);
  if (isPlain(value)) return value === null ? "–" : String(value);
  if (Array.isArray(value)) return value.map(shown).join(", ");
  // An entry of a ranking: "spiral 0.82".
  const parts = Object.values(value).filter((part) => isPlain(part) && !Number.isInteger(part));
  return parts.map(shown).join(" ");
}

/** {a: {b: 1}, c: [..]} as [["a.b", 1], ["c", [..]]]. */
function flat(object, before = "") {
  return Object.entries(object).flatMap(([name, value]) =>
    isPlain(value) || Array.isArray(value) ? [[before + name, value]] : flat(value, `${before}${name}.`),
  );
}

const isRow = (value) => !isPlain(value) && !Array.isArray(value);
const isRows = (value) => Array.isArray(value) && value.length > 0 && value.every(isRow);

function cell(value) {
  return el("td", { class: typeof value === "number" ? "number" : null }, shown(value));
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
  const rows = entries.map((entry) => new Map(flat(entry)));
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const lines = rows.map((row) => el("tr", {}, ...columns.map((column) => cell(row.get(column) ?? null))));
  return table(words(name), columns, lines);
}

function tableOfPairs(name, pairs) {
  const lines = pairs.map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, words(key)), cell(value)));
  return table(words(name), null, lines);
}

/** Tables of a job's result; none if there is nothing to tell. */
export function tablesOf(result) {
  const entries = Object.entries(result ?? {}).filter(([name, value]) => !ELSEWHERE.has(name) && !isEmpty(value));
  const single = entries.filter(([, value]) => isPlain(value) || (Array.isArray(value) && !isRows(value)));
  const tables = entries
    .filter(([, value]) => !isPlain(value))
    .flatMap(([name, value]) => {
      if (isRows(value)) return [tableOfRows(name, value)];
      if (Array.isArray(value)) return [];
      const inner = flat(value);
      const pairs = inner.filter(([, part]) => !isRows(part));
      const rows = inner.filter(([, part]) => isRows(part));
      return [
        ...(pairs.length ? [tableOfPairs(name, pairs)] : []),
        ...rows.map(([key, part]) => tableOfRows(`${name}.${key}`, part)),
      ];
    });
  return single.length ? [tableOfPairs("result", single), ...tables] : tables;
}
