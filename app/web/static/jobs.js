/** What to call a job, and the files that it made. */

import { pictureUrl } from "./api.js";
import { askFate } from "./fate.js";
import { isTerminal } from "./follow.js";
import { nameOf } from "./image_names.js";
import { kindOf, picturesOf, setsOf } from "./kinds.js";
import { findSet } from "./sets.js";
import { ago, capitalized, duration, joined, secondsBetween, spaced, titleOfFile } from "./text.js";

/** Controls of params that name classes. */
const CLASSES = new Set(["class", "classes"]);
/** Longer lists of names are shown as their number. */
const MAX_NAMES = 3;

const namesOf = (references) => references.map(nameOf).filter(Boolean).map(titleOfFile);

/** The value of a param as text, or null: "impasto", "200 steps", "relu2_1 and relu3_1". */
function textOf(param, value) {
  if (!value) return null;
  if (typeof value !== "object") return param.unit ? `${value} ${param.unit}` : String(value);
  const names = Array.isArray(value) ? value : Object.keys(value);
  return names.length > MAX_NAMES ? `${names.length} ${param.title.toLowerCase()}` : joined(names) || null;
}

/** The first picture's name, with the number of others beside it, else the set, else the classes that the job is about, else the kind's title. */
function subjectOf(job, kind) {
  const [first] = picturesOf(job);
  const [name] = namesOf(first ? [first.reference] : []);
  const others = name ? [job.params[first.param.name]].flat().length - 1 : 0;
  const target = kind.params.find(({ control, name }) => CLASSES.has(control) && job.params[name]);
  const [set] = setsOf(job).map(findSet).filter(Boolean);
  if (others > 0) return `${name} and ${others} more`;
  return name ?? set?.name ?? (target ? capitalized(textOf(target, job.params[target.name])) : kind.title);
}

/** A job's title in two parts: {subject, rest}; `rest` may be empty. */
export function titleParts(job) {
  const kind = kindOf(job.kind);
  if (!kind) return { subject: job.kind, rest: "" };
  const subject = subjectOf(job, kind);
  const prefixed = kind.params.filter((param) => param.titlePrefix);
  if (!prefixed.length) return { subject, rest: subject === kind.title ? "" : `, ${kind.title}` };
  const parts = prefixed.map(({ name, titlePrefix }) => {
    const names = namesOf([job.params[name] ?? []].flat());
    return names.length ? `, ${titlePrefix} ${joined(names)}` : "";
  });
  return { subject, rest: parts.join("") };
}

/** A job's title on one line. */
export function titleOfJob(job) {
  const { subject, rest } = titleParts(job);
  return subject + rest;
}

/** How a job was made: "impasto, 200 steps, vgg19-random, 512 px". */
export function detailsOf(job) {
  const { label_fields: names = [], params = [] } = kindOf(job.kind) ?? {};
  const fields = names.map((name) => params.find((param) => param.name === name)).filter(Boolean);
  return fields.map((param) => textOf(param, job.params[param.name])).filter(Boolean).join(", ");
}

/** When a job ended, and how long it took: "made in 6 s, 3 minutes ago". */
export function timesOf(job) {
  if (!isTerminal(job)) return "";
  const when = ago(job.finished_at);
  if (!job.started_at) return `${job.state} ${when}`;
  const seconds = secondsBetween(job.started_at, job.finished_at);
  const span = seconds < 1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : duration(seconds);
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

const copyUrl = (url, side) => `${url}${url.includes("?") ? "&" : "?"}side=${side}`;

/** URL of the smallest copy of a picture, for a tile. */
export const tileUrl = (url) => copyUrl(url, 160);

/** URL of a small copy of a picture. */
export const smallUrl = (url) => copyUrl(url, 320);

/** URL of the largest copy of a picture, for one whose format the browser does not show. */
export const largeUrl = (url) => copyUrl(url, 640);

/** For an image that cannot be shown: a copy of it if it is a stored picture (TIFF, HEIC), else call `otherwise(image)`. */
export async function showCopy(image, otherwise) {
  const { src } = image;
  const isStored = !src.startsWith("blob:") && !src.includes("side=");
  const isPicture = isStored && (await askFate(src)).type?.startsWith("image/");
  // Another one is shown meanwhile, or none.
  if (image.src !== src) return;
  if (isPicture) image.src = largeUrl(src);
  else otherwise(image);
}

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

/** URL of a picture, copied by `copy`, for a job that has no result yet: its preview, else its first source; or null. */
export function draftUrl(job, copy = largeUrl) {
  const [source] = picturesOf(job);
  // Previews are small as they are.
  return artifactUrl(job, "preview") ?? (source ? copy(pictureUrl(source.reference)) : null);
}

/** URL of a small picture of a job, or null. */
export function thumbnailUrl(job) {
  const result = artifactUrl(job, "image");
  return result ? smallUrl(result) : draftUrl(job, smallUrl);
}
