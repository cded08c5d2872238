/** Uploads of pictures; the same file is sent once. */

import { deleteImage, getImage, Problem, Unreachable, uploadImage } from "./api.js";
import { setName } from "./image_names.js";
import { askedMeanwhile } from "./leaving.js";

/** Larger files, in bytes, are not hashed, and are sent again. */
const MAX_HASHED = 64e6;

/** Images uploaded since the page was loaded, by the SHA-256 of their file. */
const uploaded = new Map();

async function hashOf(file) {
  // Browsers have crypto.subtle only on https and localhost; elsewhere a picture is sent again.
  if (!globalThis.crypto?.subtle || file.size > MAX_HASHED) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An image as the service has it; null: it was deleted meanwhile, by another tab or by its age. */
async function presentOf({ id }) {
  try {
    return await getImage(id);
  } catch (error) {
    if (error.status !== 404) throw error;
    return null;
  }
}

/**
 * The service's image for a file, uploaded unless it was before: `isNew`. `onprogress` gets the share sent, 0 to 1.
 * Throws Problem, Unreachable, or a DOMException when the file cannot be read or `signal` stops it.
 */
export const upload = (file, onprogress, signal) => askedMeanwhile(() => uploadOnce(file, onprogress, signal));

async function uploadOnce(file, onprogress, signal) {
  const hash = await hashOf(file);
  signal.throwIfAborted();
  const known = uploaded.has(hash) ? await presentOf(uploaded.get(hash)) : null;
  signal.throwIfAborted();
  const image = known ?? (await uploadImage(file, onprogress, signal));
  if (hash) uploaded.set(hash, image);
  setName(image);
  if (!known) tell(image.id, true);
  return { ...image, isNew: !known };
}

/** Why a file was not taken, of what upload() throws. */
export function reasonOf(error) {
  if (error instanceof Problem || error instanceof Unreachable) return error.message;
  if (error instanceof DOMException) return "It cannot be read. Is it a folder, or was it moved or changed?";
  throw error;
}

/** Send a picture again next time: the service no longer has it. */
export function forgetUpload(id) {
  for (const [hash, image] of uploaded) if (image.id === id) uploaded.delete(hash);
}

/** Called with the id of each upload that is made or deleted. */
const listeners = new Set();

export const onUploads = (listener) => listeners.add(listener);

function tell(id, isHere) {
  for (const listener of listeners) listener(id, isHere);
}

/** Delete an upload. Throws Problem, Unreachable. */
export async function removeUpload(id) {
  await deleteImage(id);
  forgetUpload(id);
  tell(id, false);
}

/** Whether an upload moves. */
export const isClip = ({ frames, media_type: type }) => frames > 1 || type.startsWith("video/");

/** Delete an upload that a field refuses, unless it was here before: another field may have it. */
export async function refuseUpload({ id, isNew }) {
  // Without an answer it stays among the unused uploads.
  if (isNew) await removeUpload(id).catch(reasonOf);
}

/** Uploads at a time, of many. */
const AT_A_TIME = 3;
const waiting = [];
let going = 0;

async function next() {
  if (going >= AT_A_TIME || waiting.length === 0) return;
  going += 1;
  await waiting.shift()();
  going -= 1;
  next();
}

/** As upload(), after those that were asked for before: a browser neither reads nor sends hundreds at a time. */
export function uploadInTurn(file, signal) {
  const sent = new Promise((resolve, reject) => {
    waiting.push(() => (signal.aborted ? Promise.reject(signal.reason) : upload(file, () => {}, signal)).then(resolve, reject));
    next();
  });
  return askedMeanwhile(() => sent);
}
