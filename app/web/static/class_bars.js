/** The classes of a set as bars: how many pictures each has, and in which part of the set. */

import { el } from "./dom.js";
import { counted } from "./text.js";

export const PARTS = ["train", "validation", "test"];
export const PART_TITLES = { train: "training", validation: "validation", test: "test" };

/** From this ratio on between the largest and the smallest class it is said. */
const UNEVEN = 3;
/** What a class needs to have a picture in each part. */
const ONE_EACH = 3;

const labelled = (set) => set.labels.filter(({ label }) => label !== null);

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

/** What a person should know of a set before training on it: sentences. */
export function warningsOf(set) {
  const classes = labelled(set);
  if (classes.length < 2) return [];
  const sorted = [...classes].sort((a, b) => a.members - b.members);
  const [least, most] = [sorted[0], sorted.at(-1)];
  const few = sorted.filter(({ members }) => members < ONE_EACH);
  const warnings = [];
  if (few.length) {
    const names = few.length > 3 ? `${few.length} classes have` : `${few.map(({ label }) => label).join(" and ")} ${few.length === 1 ? "has" : "have"}`;
    warnings.push(`${names} fewer than ${ONE_EACH} pictures: take more, or it cannot be told how well they are known.`);
  } else if (most.members >= UNEVEN * least.members) {
    const times = Math.round(most.members / least.members);
    warnings.push(`${most.label} has ${times} times as many pictures as ${least.label}: rare classes are learned worse.`);
  }
  return warnings;
}
