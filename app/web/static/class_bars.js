/** The classes of a set as bars: how many pictures each has, and in which part of the set. */

import { el } from "./dom.js";
import { counted } from "./text.js";

export const PARTS = ["train", "validation", "test"];
export const PART_TITLES = { train: "training", validation: "validation", test: "test" };

function bar({ members, parts }, most) {
  const track = el("span", { class: "class-track", "aria-hidden": "true" });
  const pieces = parts ? PARTS.map((name) => [name, parts[name]]) : [["train", members]];
  for (const [name, count] of pieces) {
    if (!count) continue;
    const piece = el("span", { class: `piece ${name}` });
    piece.style.setProperty("--share", `${(100 * count) / most}%`);
    track.append(piece);
  }
  return track;
}

const inParts = (parts) => PARTS.filter((name) => parts?.[name]).map((name) => `${parts[name]} ${PART_TITLES[name]}`).join(", ");

/** What the colours of the bars mean, with the number of pictures of each part. */
export function partLegend({ parts }) {
  if (!parts) return null;
  return el("p", { class: "part-legend help" }, ...PARTS.map((name) => el("span", { class: `key ${name}` }, `${parts[name].toLocaleString("en")} ${PART_TITLES[name]} `)));
}

/**
 * A list of classes. With `onchoose(label)` they are buttons, that of `chosen` pressed; null stands for all. `most`
 * classes are shown at most.
 */
export function classBars(set, { onchoose = null, chosen = null, most = Infinity } = {}) {
  const largest = Math.max(1, ...set.labels.map(({ members }) => members));
  const row = (entry) => {
    const { label, members, parts } = entry;
    const name = label ?? "without a label";
    const content = [el("span", { class: "class-label" }, name), el("span", { class: "class-count" }, members.toLocaleString("en")), bar(entry, largest)];
    const title = inParts(parts) || null;
    if (!onchoose || label === null) return el("li", {}, el("span", { class: "class-row", title }, ...content));
    const press = () => onchoose(label === chosen ? null : label);
    return el("li", {}, el("button", { type: "button", class: "class-row", title, "aria-pressed": String(label === chosen), onclick: press }, ...content));
  };
  const shown = set.labels.slice(0, most);
  const rest = set.labels.length - shown.length;
  return el("ul", { class: "class-bars" }, ...shown.map(row), rest > 0 ? el("li", { class: "help" }, `and ${counted(rest, "other")}`) : null);
}

/** What may harm a training, as the service says it (`notes` of a set's statistics). */
export const warningElements = ({ notes }) => notes.map((text) => el("p", { class: "warning" }, text));

/** The preset that goes with each way to transfer. */
const PRESETS = { svm: "quick", head: "quick", last: "fine-tune", all: "fine-tune" };

/** How to train with a set, from its statistics. */
export const suggestionElements = ({ suggestion }) =>
  suggestion ? [el("p", { class: "help suggested" }, `${suggestion.text} That is the preset ${PRESETS[suggestion.transfer]}.`)] : [];

const span = ({ smallest, largest }) => (smallest === largest ? String(smallest) : `${smallest} to ${largest}`);

function lengthBars(title, { histogram }) {
  const largest = Math.max(...histogram.map(({ members }) => members));
  const row = ({ least, below, members }) => {
    const track = bar({ members, parts: null }, largest);
    return el("li", {}, el("span", { class: "class-row" }, el("span", { class: "class-label" }, `${least} to ${below - 1} px`), el("span", { class: "class-count" }, String(members)), track));
  };
  return el("div", {}, el("p", { class: "help" }, title), el("ul", { class: "class-bars" }, ...histogram.map(row)));
}

/** How large the pictures are: a sentence, and bars where they differ much. */
export function sizeElements({ widths, heights }) {
  if (!widths) return [];
  const both = [["Widths", widths], ["Heights", heights]].filter(([, { histogram }]) => histogram.length > 1);
  return [el("p", { class: "help" }, `${span(widths)} × ${span(heights)} px.`), ...both.map(([title, lengths]) => lengthBars(title, lengths))];
}
