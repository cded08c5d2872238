/** File names of uploaded pictures, by id. */

import { getImage, Problem, Unreachable } from "./api.js";

const names = new Map();

/** Keep the name of an image that the service described. */
export function setName(image) {
  names.set(image.id, image.name);
}

/** The file name of a picture if it is known, or null. */
export function nameOf(reference) {
  return names.get(reference) ?? null;
}

/** Fetch the names that are not known yet. A job's artifact (`<job id>/<artifact>`) has none. */
export async function fetchNames(references) {
  const unknown = references.filter((reference) => !names.has(reference) && !reference.includes("/"));
  await Promise.all(unknown.map(fetchName));
}

async function fetchName(id) {
  try {
    setName(await getImage(id));
  } catch (error) {
    // The image was deleted, or the service is unreachable: there is no name to show.
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
  }
}
