/** What to call a job, and the files that it made. */

import { pictureUrl } from "./api.js";
import { isTerminal } from "./follow.js";
import { nameOf } from "./image_names.js";
import { isPicture, kindOf, picturesOf } from "./kinds.js";
import { ago, capitalized, duration, joined, secondsBetween, spaced, titleOfFile } from "./text.js";

/** Longer lists of names are shown as their number. */
const MAX_NAMES = 3;

/** The value of a job's param as text, or null: pictures by their names, lists in words. */
function textOf(job, name) {
  const kind = kindOf(job.kind);
  if (name === "kind") return kind.title;
  const param = kind.params.find((each) => each.name === name);
  const value = job.params[name];
  if (!param || !value) return null;
  if (isPicture(param)) return joined([value].flat().map(nameOf).filter(Boolean).map(titleOfFile)) || null;
  if (typeof value !== "object") return String(value);
  const names = Array.isArray(value) ? value : Object.keys(value);
  return names.length > MAX_NAMES ? `${names.length} ${param.title.toLowerCase()}` : joined(names) || null;
}

/** A template such as "{steps} steps" as [text, text of the first param], or null where a param has no text. */
function filled(template, job) {
  const texts = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => textOf(job, name));
  if (texts.includes(null)) return null;
  const rest = [...texts];
  return [template.replace(/\{\w+\}/g, () => rest.shift()), texts[0] ?? ""];
}

/** Templates of a kind's titles; where it has none, the name of the first picture with one, and the kind. */
function templatesOf({ job_titles: titles, params }) {
  return titles.length ? titles : params.filter(isPicture).map(({ name }) => `{${name}}, {kind}`);
}

/** A job's title in two parts: {subject, rest}; `rest` may be empty. */
export function titleParts(job) {
  const kind = kindOf(job.kind);
  if (!kind) return { subject: job.kind, rest: "" };
  for (const template of templatesOf(kind)) {
    const found = filled(template, job);
    if (!found) continue;
    const [title, subject] = found;
    if (title.startsWith(subject)) return { subject: capitalized(subject), rest: title.slice(subject.length) };
    return { subject: title, rest: "" };
  }
  return { subject: kind.title, rest: "" };
}

/** A job's title on one line. */
export function titleOfJob(job) {
  const { subject, rest } = titleParts(job);
  return subject + rest;
}

/** How a job was made: "impasto, 200 steps, vgg19-random, 512 px". */
export function detailsOf(job) {
  const templates = kindOf(job.kind)?.job_details ?? [];
  return templates.map((template) => filled(template, job)?.[0]).filter(Boolean).join(", ");
}

/** When a job ended, and how long it took: "made in 6 s, 3 minutes ago". */
export function timesOf(job) {
  if (!isTerminal(job)) return "";
  const when = ago(job.finished_at);
  if (!job.started_at) return `${job.state} ${when}`;
  const span = duration(secondsBetween(job.started_at, job.finished_at));
  return `${job.state === "succeeded" ? "made in" : `${job.state} after`} ${span}, ${when}`;
}

/** URL of a file that a job made, or null. */
export const artifactUrl = (job, name) =>
  job.artifacts.find((artifact) => artifact.name === name)?.url ?? null;

/** The pictures and videos that a job made, the main ones first: [{name, url, media_type, ...}]. */
export function viewsOf(job) {
  const views = job.artifacts.filter(
    ({ name, media_type: type }) => name !== "preview" && /^(image|video)\//.test(type),
  );
  const rank = ({ name }) => (name === "video" ? 0 : name === "image" ? 1 : 2);
  return views.sort((a, b) => rank(a) - rank(b));
}

/** URL of a small copy of a picture that a job made. */
export const smallUrl = (url) => `${url}${url.includes("?") ? "&" : "?"}side=320`;

/**
 * A caption for one of several views: the first text of its entry in `result.pictures` (a class, a layer), else
 * the entry's first number with its name (seed 3), else the name of the artifact.
 */
export function captionOf(job, view) {
  const entry = job.result?.pictures?.find(({ artifact }) => artifact === view.name) ?? {};
  const values = Object.entries(entry).filter(([name]) => name !== "artifact");
  const text = values.find(([, value]) => typeof value === "string");
  if (text) return text[1];
  const number = values.find(([, value]) => typeof value === "number");
  return number ? `${spaced(number[0])} ${number[1]}` : spaced(view.name);
}

/** URL of the picture for a job that has no result yet: its preview, else its first source; or null. */
export function draftUrl(job) {
  const [source] = picturesOf(job);
  return artifactUrl(job, "preview") ?? (source ? pictureUrl(source.reference) : null);
}

/** URL of a small picture of a job, or null. */
export function thumbnailUrl(job) {
  const result = artifactUrl(job, "image");
  return result ? smallUrl(result) : draftUrl(job);
}
