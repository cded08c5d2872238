/** The sets of pictures that the service has. */

import { listDatasets, Problem, Unreachable } from "./api.js";

/** Milliseconds until the first list is asked for again. */
const RETRY_MS = 2000;

let sets = [];
/** Numbers of the last request for the list, and of that whose answer is shown: a later one may be answered first. */
let asked = 0;
let shown = 0;
const listeners = new Set();

/** All sets, newest first, as they were listed last. */
export const knownSets = () => sets;

/** Call a function whenever the sets are listed anew. */
export const onSets = (listener) => listeners.add(listener);

/** List the sets anew. Throws Problem, Unreachable. */
export async function refreshSets() {
  asked += 1;
  const own = asked;
  const found = await listDatasets();
  if (own < shown) return;
  shown = own;
  sets = found;
  for (const listener of listeners) listener();
}

/** The set that a name, an id, or a job's `<id>@<sha256>` names, if it is known. */
export function findSet(reference) {
  const [id] = reference.split("@");
  return sets.find((set) => set.id === id || set.name === id);
}

/** List the sets anew if the service answers; that it does not is said elsewhere. Returns whether it did. */
export async function updateSets() {
  try {
    await refreshSets();
    return true;
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    return false;
  }
}

async function fetchFirst() {
  while (!(await updateSets())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

const first = fetchFirst();

/** List the sets anew if one of these is not known, such as a built-in one that a job has just begun. */
export async function fetchSets(references) {
  await first;
  if (!references.every(findSet)) await updateSets();
}
