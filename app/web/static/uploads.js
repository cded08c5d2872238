/** Pictures on their way to the service: each is sent once. */

import { uploadImage } from "./api.js";
import { learn } from "./names.js";

/** Files beyond this many bytes are not read to recognise them again. */
const MOST_HASHED = 64e6;

/** Uploaded pictures of this visit, by the SHA-256 of their file. */
const sent = new Map();

async function hashOf(file) {
  // Browsers have crypto.subtle on https and localhost alone; elsewhere a picture is simply sent again.
  if (!globalThis.crypto?.subtle || file.size > MOST_HASHED) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The service's image for a file, uploaded unless it was before. `onprogress` gets the share sent, 0 to 1.
 * Throws Problem, Unreachable, or a DOMException when the file cannot be read or `signal` stops it.
 */
export async function upload(file, onprogress, signal) {
  const hash = await hashOf(file);
  signal.throwIfAborted();
  const image = sent.get(hash) ?? (await uploadImage(file, onprogress, signal));
  if (hash) sent.set(hash, image);
  learn(image);
  return image;
}

/** Send a picture again next time: the service does not have it any more. */
export function forget(id) {
  for (const [hash, image] of sent) if (image.id === id) sent.delete(hash);
}
