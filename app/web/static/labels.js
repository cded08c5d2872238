/** What a job is called and how it came about, as on the label beside a painting. */

import { pictureUrl } from "./api.js";
import { isTerminal } from "./follow.js";
import { nameOf } from "./names.js";
import { ago, duration, secondsBetween, titleOf } from "./text.js";

const named = (reference) => {
  const name = reference && nameOf(reference);
  return name ? titleOf(name) : null;
};

/** The pictures that a job is made from, content first. */
export const sourcesOf = (job) => [job.params.content ?? [], job.params.style ?? []].flat();

/** A job's title in two parts: {subject, after}. `after` is empty when no style is known by name. */
export function titleParts(job, kindTitle) {
  const styles = [job.params.style ?? []].flat().map(named).filter(Boolean);
  return {
    subject: named(job.params.content) ?? kindTitle,
    after: styles.length ? new Intl.ListFormat("en").format(styles) : "",
  };
}

/** A job's title on one line. */
export function titleOfJob(job, kindTitle) {
  const { subject, after } = titleParts(job, kindTitle);
  return after ? `${subject}, after ${after}` : subject;
}

/** How a job was made: "impasto, 200 steps, vgg19-random, 512 px". */
export function medium(job) {
  const { preset, steps, network, size } = job.params;
  return [preset, steps && `${steps} steps`, network, size && `${size} px`].filter(Boolean).join(", ");
}

/** When a job ended, and how long it took: "painted in 6 s, 3 minutes ago". */
export function dating(job) {
  if (!isTerminal(job)) return "";
  const when = ago(job.finished_at);
  if (!job.started_at) return `${job.state} ${when}`;
  const span = duration(secondsBetween(job.started_at, job.finished_at));
  return `${job.state === "succeeded" ? "painted in" : `${job.state} after`} ${span}, ${when}`;
}

/** URL of a file that a job made, or null. */
export const artifactUrl = (job, name) =>
  job.artifacts.find((artifact) => artifact.name === name)?.url ?? null;

/** The finished picture's URL, or null. */
export const resultUrl = (job) => artifactUrl(job, "image");

/** The picture that shows best how far a job is: the result, else a preview, else the content. */
export function faceOf(job) {
  return (
    resultUrl(job) ??
    artifactUrl(job, "preview") ??
    (job.params.content ? pictureUrl(job.params.content) : null)
  );
}
