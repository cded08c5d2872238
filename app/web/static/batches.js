/** What to call a batch and its entries, and how its entries are laid out. */

import { kindOf } from "./kinds.js";
import { ago, capitalized, counted, duration, secondsBetween } from "./text.js";

/** The address of a batch on this page, or of one of its jobs. */
export const addressOf = (id, jobId = null) => `#batch=${id}${jobId ? `&job=${jobId}` : ""}`;

/** What to call a batch: one without a name is called after its kinds. */
export const titleOf = ({ name }) => name.split(", ").map((each) => kindOf(each)?.title ?? each).join(", ");

const ENDED = new Set(["succeeded", "failed", "cancelled"]);

/** Whether a batch, or an entry, has ended. */
export const hasEnded = ({ state }) => ENDED.has(state);

/** "4 pictures" of a batch that is over pictures, else "4 jobs". */
export const countedEntries = (batch, count) =>
  counted(count, batch.matrix?.axes.some(({ images }) => images) ? "picture" : "job");

/** Entries that have ended. */
export const endedOf = ({ counts }) => counts.succeeded + counts.failed + counts.cancelled;

/** The share of a batch that has ended, 0 to 1. */
export const shareOf = (batch) => (batch.lines ? endedOf(batch) / batch.lines : 0);

/** What a batch does, in a word or two. */
export function stateWords({ state, paused, cancel_requested: stopping, counts }) {
  if (state === "succeeded") return "Done";
  if (state === "failed") return counts.succeeded ? "Done, not all of it" : "Failed";
  if (state === "cancelled") return "Stopped";
  if (stopping) return "Stopping";
  if (paused) return counts.running ? "Pausing" : "Paused";
  return counts.running || counts.succeeded || counts.failed ? "Running" : "Waiting for its turn";
}

/** How far a batch is: "45 of 200 pictures, 3 failed, about 12 min left". */
export function numbersOf(batch) {
  const { counts, lines, eta_seconds: eta, paused, cancel_requested: stopping } = batch;
  const done = hasEnded(batch) && counts.succeeded === lines
    ? countedEntries(batch, lines)
    : `${counts.succeeded.toLocaleString("en")} of ${countedEntries(batch, lines)}`;
  const took = batch.state === "succeeded" && batch.finished_at ? duration(secondsBetween(batch.created_at, batch.finished_at)) : null;
  return [
    took ? `${done} in ${took}` : done,
    counts.failed ? `${counts.failed.toLocaleString("en")} failed` : null,
    eta !== null && !hasEnded(batch) && !paused && !stopping ? `about ${about(eta)} left` : null,
    hasEnded(batch) && batch.finished_at ? ago(batch.finished_at) : null,
  ].filter(Boolean).join(", ");
}

/** An estimate of seconds in whole units: "20 seconds", "25 minutes", "3 hours", "2 days". */
export function about(seconds) {
  const round = (value) => (value < 10 ? Math.max(1, Math.round(value)) : 5 * Math.round(value / 5));
  if (seconds < 55) return counted(round(seconds), "second");
  if (seconds < 5400) return counted(round(seconds / 60), "minute");
  return seconds < 172_800 ? counted(Math.round(seconds / 3600), "hour") : counted(Math.round(seconds / 86_400), "day");
}

/** What an entry does, with the reason why it failed. */
export function entryWords(entry) {
  if (!entry || entry.state === "waiting" || entry.state === "queued") return "waiting for its turn";
  if (entry.state === "running") {
    const { done, total } = entry.progress ?? {};
    return total ? `${Math.floor((100 * done) / total)} %` : "running";
  }
  if (entry.state === "failed") return `failed: ${entry.error?.detail ?? entry.error?.title ?? "open it to see why"}`;
  return entry.state === "cancelled" ? "not made: it was stopped" : "done";
}

/** The picture that an entry made, or its preview: {url, isDraft}, or null. */
export function pictureOf(entry) {
  const find = (name) => entry?.artifacts?.find((each) => each.name === name && each.media_type.startsWith("image/"));
  const made = find("image");
  const shown = made ?? find("preview");
  return shown ? { url: shown.url, isDraft: !made } : null;
}

/** What a value of an axis is called: a picture by its file, without its ending. */
const labelOf = ({ labels, images }, index) => (images ? capitalized(labels[index].replace(/[_-]+/g, " ")) : labels[index]);

/** The value of an axis as a header: {label, image}, `image` null if it is not a picture. */
const headerOf = (axis, index) => ({ label: labelOf(axis, index), image: axis.images?.[index] ?? null });

/** The axes that a matrix varies over: those with one value are the same everywhere. */
const varied = ({ axes }) => axes.filter(({ labels }) => labels.length > 1);

/** Positions on the axes of a matrix for a line: of a cross the last axis is innermost. */
function positionsOf({ axes, combine }, line) {
  if (combine === "zip") return axes.map(() => line - 1);
  const positions = [];
  let rest = line - 1;
  for (const { labels } of [...axes].reverse()) {
    positions.unshift(rest % labels.length);
    rest = Math.floor(rest / labels.length);
  }
  return positions;
}

/** The words between the values of an entry's axes: "Chelsea, after Monet". */
function joinedLabels(kind, parts) {
  const prefixOf = (name) => kindOf(kind)?.params.find((param) => param.name === name)?.titlePrefix;
  return parts.map(({ param, label }, i) => (i === 0 ? label : `, ${prefixOf(param) ? `${prefixOf(param)} ` : ""}${label}`)).join("");
}

/** A caption for an entry of a batch: what it is made from, or its name. */
export function captionOf({ matrix }, line, entry) {
  if (!matrix) return entry?.custom_id ?? `Line ${line}`;
  const positions = positionsOf(matrix, line);
  const parts = matrix.axes.map((axis, i) => ({ param: axis.param, label: labelOf(axis, positions[i]), varies: axis.labels.length > 1 }));
  const shown = parts.filter(({ varies }) => varies);
  return joinedLabels(matrix.kind, shown.length ? shown : parts);
}

/** The picture that an entry is made from, or null: of several axes the first that varies. */
export function sourceOf({ matrix }, line) {
  if (!matrix) return null;
  const positions = positionsOf(matrix, line);
  const sources = matrix.axes.map((axis, i) => ({ image: axis.images?.[positions[i]] ?? null, varies: axis.labels.length > 1 }));
  return (sources.find(({ varies, image }) => varies && image) ?? sources.find(({ image }) => image))?.image ?? null;
}

/**
 * How a batch is laid out: rows and columns with headers if it crosses two params, else null for a plain grid.
 * {rows: [{label, image}], columns: [{label, image}]}; the line of a cell is `row * columns.length + column + 1`.
 */
export function tableOf({ matrix }) {
  if (!matrix || matrix.combine !== "cross") return null;
  const axes = varied(matrix);
  if (axes.length !== 2) return null;
  const [rows, columns] = axes.map((axis) => axis.labels.map((_, index) => headerOf(axis, index)));
  return { rows, columns };
}
