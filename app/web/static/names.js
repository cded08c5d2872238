/** File names of uploaded pictures, by id: what a painting's label calls them. */

import { getImage, Problem, Unreachable } from "./api.js";

const names = new Map();

/** Keep the name of an image that the service told of. */
export function learn(image) {
  names.set(image.id, image.name);
}

/** The file name of a picture as far as it is known, or null. */
export function nameOf(reference) {
  return names.get(reference) ?? null;
}

/** Ask for the names that are not known yet. What a job made (`<job id>/<artifact>`) has none. */
export async function learnNames(references) {
  const unknown = references.filter((reference) => !names.has(reference) && !reference.includes("/"));
  await Promise.all(unknown.map(ask));
}

async function ask(id) {
  try {
    learn(await getImage(id));
  } catch (error) {
    // Deleted, or the service is away: the label does without a name.
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
  }
}
