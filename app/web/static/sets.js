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

async function attempt() {
  try {
    await refreshSets();
  } catch (error) {
    // That the service does not answer is said elsewhere.
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
  }
}

const first = attempt();

/** List the sets anew if one of these is not known, such as a built-in one that a job has just begun. */
export async function fetchSets(references) {
  await first;
  if (!references.every(findSet)) await attempt();
}
