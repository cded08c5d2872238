/** What a finished training says of its network: a matrix of what it confuses, each class, mistakes, calibration. */

import { svg } from "./charts.js";
import { confusionElement, pictureTiles } from "./confusion.js";
import { el } from "./dom.js";
import { tablesOf } from "./tables.js";
import { counted, formatNumber } from "./text.js";

/** Parts of the result that are shown here, and need no table. */
export const REPORTED = ["confusion", "per_class", "mistakes", "calibration", "compare_layers", "runs", "transfer", "suggestion", "notes", "classes", "damaged"];

/** What is said after "29 of 30". */
const PARTS = {
  test: "test pictures are named right. It had never seen them.",
  validation: "validation pictures are named right. It was chosen by them.",
  train: "pictures are named right. It was trained on them.",
};

export const percent = (share) => (typeof share === "number" ? `${(100 * share).toFixed(share === 1 ? 0 : 1)}\u00a0%` : "–");

function section(title, help, ...children) {
  return el("section", { class: "report-part" }, el("h3", {}, title), help ? el("p", { class: "help" }, help) : null, ...children);
}

/** How good it is, in one sentence: "29 of the 30 test pictures are named right". */
export function verdictOf(result) {
  const { part = "test", counts } = { part: result.part, ...result.confusion };
  const share = { test: result.test_accuracy, validation: result.val_accuracy }[part] ?? null;
  const total = result.split?.[part] ?? 0;
  const right = share === null ? (counts ?? []).reduce((sum, row, place) => sum + row[place], 0) : Math.round(share * total);
  if (!total) return null;
  return { share: percent(share ?? right / total), words: `${right.toLocaleString("en")} of ${total.toLocaleString("en")} ${PARTS[part]}` };
}

function share(value) {
  if (typeof value !== "number") return el("td", { class: "number" }, "–");
  const cell = el("td", { class: "number measure" }, percent(value));
  cell.style.setProperty("--ratio", String(value));
  return cell;
}

function tableOf(caption, heads, lines) {
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      { class: "class-table" },
      el("thead", {}, el("tr", {}, ...heads.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...lines),
    ),
  );
}

/** Precision, recall and F1 of each class. */
function classTable(rows) {
  const heads = ["class", "precision", "recall", "F1", "pictures"];
  const line = (row) => el("tr", {}, el("th", { scope: "row" }, row.class), share(row.precision), share(row.recall), share(row.f1), el("td", { class: "number" }, String(row.support)));
  return tableOf("Each class", heads, rows.map(line));
}

function mistakeTiles(mistakes) {
  return pictureTiles(
    mistakes.map(({ image, name, label, taken_for: taken, probability }) => ({
      image,
      name,
      caption: [el("b", {}, label), el("br"), `taken for ${taken}, ${percent(probability)}`],
    })),
  );
}

const SIDE = 180;
const EDGE = 26;

/** Bars of how often it is right, by how sure it is; on the diagonal both agree. */
function reliability(bins) {
  const inner = SIDE - EDGE;
  const x = (value) => EDGE + value * inner;
  const y = (value) => inner - value * inner;
  const known = bins.filter((bin) => typeof bin.accuracy === "number");
  const bars = known.map(({ low, high, accuracy }) =>
    svg("rect", { class: "bar", x: x(low) + 1, width: Math.max(1, (high - low) * inner - 2), y: y(accuracy), height: Math.max(0.5, accuracy * inner) }),
  );
  const says = known.map(({ confidence, accuracy, count }) => `${percent(confidence)} sure: ${percent(accuracy)} right of ${count}`).join("; ");
  return svg(
    "svg",
    { class: "reliability", viewBox: `0 0 ${SIDE + 6} ${SIDE + 12}`, role: "img", "aria-label": `How often it is right, by how sure it is. ${says}` },
    ...bars,
    svg("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    svg("line", { class: "axis", x1: x(0), y1: y(0), x2: x(1), y2: y(0) }),
    svg("text", { x: x(0.5), y: SIDE + 8, "text-anchor": "middle" }, "how sure it is"),
    svg("text", { transform: `translate(12 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle" }, "how often right"),
    svg("text", { x: x(0), y: inner + 13 }, "0 %"),
    svg("text", { x: x(1), y: inner + 13, "text-anchor": "end" }, "100 %"),
  );
}

function calibrationElement({ temperature, ece_before: before, ece_after: after, bins }) {
  const words =
    typeof temperature === "number" && typeof before === "number"
      ? `Its probabilities are off by ${percent(before)} on average; divided by the temperature ${formatNumber(temperature)}, by ${percent(after)}. The network keeps this temperature.`
      : null;
  return el("div", { class: "calibration" }, reliability(bins ?? []), words ? el("p", {}, words) : null);
}

/** A row of a table in which what is kept is marked. */
const marked = (row) => ("kept" in row ? { ...row, kept: row.kept ? "✓" : "" } : row);

/** Whether a part of the result says something; a transfer does if strengths were compared. */
const isFilled = (value) => (Array.isArray(value) ? value.length > 0 : Boolean(value) && (value.trials?.length ?? 2) > 1);

/** Strengths of L2 of a linear classifier on features, and how well each does; the chosen one is marked. */
function trialTable({ trials, strength }) {
  const heads = ["strength", "accuracy", "loss", "kept"];
  const line = (row) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, formatNumber(row.strength)),
      share(row.accuracy),
      el("td", { class: "number" }, typeof row.loss === "number" ? formatNumber(row.loss) : "–"),
      el("td", {}, row.strength === strength ? "✓" : ""),
    );
  return tableOf("Strengths compared", heads, trials.map(line));
}

/** Elements of a training's result. */
export function reportElements(result) {
  const parts = [
    ["transfer", (value) => section("Strengths compared", "A linear classifier on features that do not change is learned at once, without epochs: here are those of several strengths of L2, by the validation pictures.", trialTable(value))],
    ["confusion", (value) => section("What it confuses", "Each row is a class, each column what its pictures are taken for. Choose a cell to see its pictures.", confusionElement(value))],
    ["mistakes", (value) => section("Worst mistakes", "Those that it was surest of.", mistakeTiles(value))],
    ["per_class", (value) => section("Each class", "Precision: how many of those that it names are right. Recall: how many of them all it finds. F1: the mean of both, nearer to the lower.", classTable(value))],
    ["calibration", (value) => section("How sure it is", null, calibrationElement(value))],
    ["compare_layers", (value) => section("Layers compared", "A linear classifier on the features of each.", ...tablesOf({ layers: value }, []))],
    ["runs", (value) => section("Trainings", null, ...tablesOf({ trainings: value.map(marked) }, []))],
  ];
  return parts.filter(([name]) => isFilled(result[name])).map(([name, make]) => make(result[name]));
}

/** Sentences that go with the result: what the numbers do not mean, and what to try next. */
export function notesOf(result) {
  const damaged = result.damaged?.count ?? 0;
  const notes = [...(result.notes ?? []), ...(damaged ? [`${counted(damaged, "picture")} cannot be read, and were left out.`] : [])];
  const suggestion = result.suggestion?.text;
  return [
    ...notes.map((text) => el("p", { class: "note" }, text)),
    ...(suggestion ? [el("p", { class: "note suggestion" }, el("b", {}, "Suggestion: "), suggestion)] : []),
  ];
}
