/** The kinds of job that there are, as GET /v1/kinds tells of them. */

import { paramsOf } from "./schema.js";

const kinds = new Map();

/** Keep what the service says of its kinds. */
export function learnKinds(items) {
  for (const kind of items) kinds.set(kind.kind, { ...kind, params: paramsOf(kind) });
}

/** The kinds that a person may choose from, in the service's order. */
export const offeredKinds = () => [...kinds.values()].filter((kind) => kind.offered);

/** The kind of that name, or undefined. */
export const kindOf = (name) => kinds.get(name);

/** What a kind is called; its own name where the page is older than the service. */
export const titleOfKind = (name) => kinds.get(name)?.title ?? name;

/** Whether a param is a picture, several, or a clip. */
export const isPicture = (param) => ["picture", "pictures", "clip"].includes(param.control);

/** References of the pictures that a job is made from: [{param, reference}], in the order of its params. */
export function picturesOf(job) {
  const params = kinds.get(job.kind)?.params.filter(isPicture) ?? [];
  return params.flatMap((param) =>
    [job.params[param.name] ?? []].flat().map((reference) => ({ param, reference })),
  );
}
