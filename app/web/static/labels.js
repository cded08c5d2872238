/** What a job is called and how it came about, as on the label beside a painting. */

import { pictureUrl } from "./api.js";
import { isTerminal } from "./follow.js";
import { picturesOf, titleOfKind } from "./kinds.js";
import { nameOf } from "./names.js";
import { ago, duration, secondsBetween, titleOf } from "./text.js";

/** Layers named on a label before it says how many there are. */
const MOST_LAYERS = 3;

const named = (reference) => {
  const name = reference && nameOf(reference);
  return name ? titleOf(name) : null;
};

const capital = (text) => text[0].toUpperCase() + text.slice(1);

const targetOf = ({ target }) => (target == null ? null : capital([target].flat().join(", ")));

/** A job's title in two parts: {subject, rest}. `rest` is empty when there is no more to say. */
export function titleParts(job) {
  const kind = titleOfKind(job.kind);
  const subject = named(picturesOf(job)[0]?.reference) ?? targetOf(job.params) ?? kind;
  if (job.kind !== "style_transfer") return { subject, rest: subject === kind ? "" : `, ${kind}` };
  const styles = [job.params.style ?? []].flat().map(named).filter(Boolean);
  return { subject, rest: styles.length ? `, after ${new Intl.ListFormat("en").format(styles)}` : "" };
}

/** A job's title on one line. */
export function titleOfJob(job) {
  const { subject, rest } = titleParts(job);
  return subject + rest;
}

function layersOf({ layers, layer }) {
  const names = layer ? [layer] : Array.isArray(layers) ? layers : Object.keys(layers ?? {});
  return names.length > MOST_LAYERS ? `${names.length} layers` : names.join(" and ");
}

/** How a job was made: "impasto, 200 steps, vgg19-random, 512 px". */
export function medium(job) {
  const { preset, steps, network, size, frames } = job.params;
  const parts = [preset, layersOf(job.params), steps && `${steps} steps`, frames && `${frames} frames`];
  return [...parts, network, size && `${size} px`].filter(Boolean).join(", ");
}

/** When a job ended, and how long it took: "made in 6 s, 3 minutes ago". */
export function dating(job) {
  if (!isTerminal(job)) return "";
  const when = ago(job.finished_at);
  if (!job.started_at) return `${job.state} ${when}`;
  const span = duration(secondsBetween(job.started_at, job.finished_at));
  return `${job.state === "succeeded" ? "made in" : `${job.state} after`} ${span}, ${when}`;
}

/** URL of a file that a job made, or null. */
export const artifactUrl = (job, name) =>
  job.artifacts.find((artifact) => artifact.name === name)?.url ?? null;

/** What a job made to be looked at, videos first: [{name, url, media_type, ...}]. */
export function viewsOf(job) {
  const views = job.artifacts.filter(
    ({ name, media_type: type }) => name !== "preview" && /^(image|video)\//.test(type),
  );
  const rank = ({ name }) => (name === "video" ? 0 : name === "image" ? 1 : 2);
  return views.sort((a, b) => rank(a) - rank(b));
}

/** A small copy of a picture that a job made. */
export const small = (url) => `${url}${url.includes("?") ? "&" : "?"}side=320`;

/** What one of several views is of: what the numbers call it (a class, a layer, a seed), or its own name. */
export function captionOf(job, view) {
  const entry = job.result?.pictures?.find(({ artifact }) => artifact === view.name) ?? {};
  const { artifact, ...rest } = entry;
  const name = Object.values(rest).find((value) => typeof value === "string");
  if (name) return name;
  return rest.seed === undefined ? view.name.replaceAll("_", " ") : `seed ${rest.seed}`;
}

/** What shows how far a job without a result is: a preview, else what it is made from; or null. */
export function draftOf(job) {
  const [source] = picturesOf(job);
  return artifactUrl(job, "preview") ?? (source ? pictureUrl(source.reference) : null);
}

/** A small picture that stands for a job, or null. */
export function faceOf(job) {
  const result = artifactUrl(job, "image");
  return result ? small(result) : draftOf(job);
}
