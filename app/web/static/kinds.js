/** The kinds of job, as GET /v1/kinds describes them. */

import { paramsOf } from "./schema.js";

const kinds = new Map();

/** Keep the service's answer to GET /v1/kinds. */
export function setKinds(items) {
  for (const kind of items) kinds.set(kind.kind, { ...kind, params: paramsOf(kind.schema) });
}

/** The kinds that a person may choose from, in the service's order. */
export const listedKinds = () => [...kinds.values()].filter((kind) => kind.listed);

/** The kind of that name; undefined where the page is older than the service. */
export const kindOf = (name) => kinds.get(name);

/** Whether a param is a picture, several, or a clip. */
export const isPicture = (param) => ["picture", "pictures", "clip"].includes(param.control);

/** Whether a param names a picture, or a job to go on from. */
export const namesPicture = (param) => isPicture(param) || param.control === "job";

/** The param by which a job of a kind goes on where another one ended; undefined where there is none. */
export const continuedParam = (kind) => kinds.get(kind)?.params.find(({ control }) => control === "job");

/** References of the sets that a job uses. */
export function setsOf(job) {
  const params = kinds.get(job.kind)?.params.filter(({ control }) => control === "dataset") ?? [];
  return params.map(({ name }) => job.params[name]).filter(Boolean);
}

/** References of the pictures that a job is made from: [{param, reference}], in the order of its params. */
export function picturesOf(job) {
  const params = kinds.get(job.kind)?.params.filter(isPicture) ?? [];
  return params.flatMap((param) =>
    [job.params[param.name] ?? []].flat().map((reference) => ({ param, reference })),
  );
}
