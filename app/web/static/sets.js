/** The sets of pictures that the service has. */

import { listDatasets, Problem, Unreachable } from "./api.js";

let sets = [];
const listeners = new Set();

/** All sets, newest first, as they were listed last. */
export const knownSets = () => sets;

/** Call a function whenever the sets are listed anew. */
export const onSets = (listener) => listeners.add(listener);

/** List the sets anew. Throws Problem, Unreachable. */
export async function refreshSets() {
  sets = await listDatasets();
  for (const listener of listeners) listener();
}

/** The set that a name, an id, or a job's `<id>@<sha256>` names, if it is known. */
export function findSet(reference) {
  const [id] = reference.split("@");
  return sets.find((set) => set.id === id || set.name === id);
}

/** Resolves when the sets were listed for the first time, or cannot be: that the service is gone is said elsewhere. */
export const firstSets = refreshSets().catch((error) => {
  if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
});
