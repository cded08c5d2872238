/** Makes a set of files: packs them into a ZIP, sends it, and waits for the job that fills the set. */

import { deleteDataset, Problem, Unreachable, uploadDataset } from "./api.js";
import { filesOfEntries, isZip, withPaths } from "./folders.js";
import { waitForJob } from "./follow.js";
import { randomKey } from "./keys.js";
import { askedMeanwhile } from "./leaving.js";
import { same } from "./schema.js";
import { knownSets, refreshSets, updateSets } from "./sets.js";
import { counted, fileSize, freeNameOf } from "./text.js";
import { zipOf } from "./zip.js";

/** Names of several folders at once that are joined to that of the set. */
const MAX_FOLDERS = 3;
/** The error of a job that found no picture for its set. */
const EMPTY = "dataset_empty";

const PICTURE = /\.(avif|bmp|gif|hei[cf]|jpe?g|jfif|png|tiff?|webp)$/i;
const TABLE = /\.csv$/i;
const PARTS = /^(train|training|val|valid|validation|test|testing)$/i;

/** A name for a set, from that of a file or folder, that no other set has. */
const freeName = (title) => freeNameOf(title.replace(/\.zip$/i, ""), knownSets(), "pictures");

/** Paths without the folders that are around all of them, and without those that name parts. */
function foldersOf(names) {
  let folders = names.map((name) => name.split("/").slice(0, -1));
  while (folders.every((each) => each.length > 0 && each[0] === folders[0][0])) folders = folders.map((each) => each.slice(1));
  return new Set(folders.map((each) => (PARTS.test(each[0] ?? "") ? each[1] : each[0])).filter((each) => each !== undefined));
}

/** Throws a RangeError if there are no pictures, or fewer classes than `leastLabels` where folders alone name them. */
function check(found, leastLabels) {
  const names = found.map(({ name }) => name);
  const pictures = names.filter((name) => PICTURE.test(name));
  if (names.length === 0) throw new RangeError("There are no files in this folder.");
  if (pictures.length === 0) {
    throw new RangeError(names.length === 1 ? `${names[0]} is not a picture.` : `None of these ${names.length.toLocaleString("en")} files is a picture.`);
  }
  if (leastLabels < 2 || names.some((name) => TABLE.test(name))) return;
  const classes = foldersOf(pictures);
  if (classes.size < leastLabels) {
    throw new RangeError("All these pictures are of one class: drop a folder for each class, or a folder of such folders.");
  }
}

/** What to call a set of files: their one folder, or the folders that they are in. */
function titleOf(names) {
  const tops = [...new Set(names.filter((name) => name.includes("/")).map((name) => name.split("/")[0]))];
  return tops.length && tops.length <= MAX_FOLDERS ? tops.join("-") : "pictures";
}

/** What files are told apart by from others. */
const sourceOf = (found) => found.map(({ name, file: { size, lastModified } }) => [name, size, lastModified]);

/** The ZIP of what was given, {blob, title, source}: itself, or one of the files. */
async function pack(files, entries, { leastLabels, onprogress, signal }) {
  if (files.length === 1 && isZip(files[0])) return { blob: files[0], title: files[0].name, source: sourceOf(withPaths(files)) };
  const found = entries.length ? await filesOfEntries(entries) : withPaths(files);
  check(found, leastLabels);
  return { blob: await zipped(found, { onprogress, signal }), title: titleOf(found.map(({ name }) => name)), source: sourceOf(found) };
}

function zipped(found, { onprogress, signal }) {
  const read = (share) => onprogress(`Reading ${counted(found.length, "file")}`, share);
  return zipOf(found, read, signal);
}

/** The job goes over the files twice: it checks all, then keeps those that are right. */
function sayJob({ progress, state }, { onprogress, signal }) {
  if (signal.aborted) {
    onprogress("Stopping");
  } else if (state !== "running" || !progress?.total) {
    onprogress("Waiting for its turn");
  } else {
    const { done, total } = progress;
    const half = total / 2;
    const words = done < half ? `Checking ${done + 1} of ${counted(half, "file")}` : `Keeping ${Math.min(done - half + 1, half)} of ${counted(half, "file")}`;
    onprogress(words, done / total);
  }
}

/** What was sent and not answered, {source, name, key}: sent again, it is the same set, under the same name. */
let unanswered = null;

async function sendZip({ blob, title, source }, { onprogress, signal }) {
  await refreshSets();
  if (!unanswered || !same(unanswered.source, source)) unanswered = { source, name: freeName(title), key: randomKey() };
  const { name, key } = unanswered;
  const size = fileSize(blob.size);
  const sent = (share) => (share < 1 ? onprogress(`Sending ${fileSize(share * blob.size)} of ${size}`, share) : onprogress("Storing"));
  try {
    const set = await uploadDataset(blob, name, key, sent, signal);
    unanswered = null;
    return set;
  } catch (error) {
    if (error instanceof Problem) unanswered = null;
    throw error;
  }
}

/** Delete a set of which nothing came. If it stays, it is in the list of sets, and why nothing came is what counts. */
async function discard(id) {
  try {
    await deleteDataset(id);
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    await updateSets();
  }
}

/**
 * Make a set of a ZIP {blob, title, source}. `onprogress(words, share)` says how far it is, `signal` stops it. Returns
 * {name, result}: the set's name, and what the job says of the files, or null. Throws Problem, Unreachable, RangeError, DOMException.
 */
async function makeSetOfZip(zip, { onprogress, signal }) {
  const set = await askedMeanwhile(() => sendZip(zip, { onprogress, signal }));
  const [jobId] = set.jobs;
  // It was sent before, and made meanwhile: only jobs that go on are named.
  if (!jobId && set.state === "closed") {
    await updateSets();
    return { name: set.name, result: null };
  }
  if (!jobId) {
    await discard(set.id);
    throw new RangeError("This set could not be made: try again.");
  }
  const job = await waitForJob(jobId, signal, (next) => sayJob(next, { onprogress, signal }));
  if (job.state !== "succeeded") {
    await discard(set.id);
    signal.throwIfAborted();
    const { type, detail = "This was cancelled." } = job.error ?? {};
    throw new RangeError(type?.endsWith(EMPTY) ? "None of its files is a picture that can be read." : detail);
  }
  await updateSets();
  return { name: set.name, result: job.result };
}

/** Make a set of files, or of the `entries` of a drop; `options` as of makeSetOfZip(), with `leastLabels` that it must have. */
export async function makeSet(files, entries, options) {
  options.onprogress("Reading");
  const zip = await askedMeanwhile(() => pack(files, entries, options));
  return makeSetOfZip(zip, options);
}

/** Make a set of files with their paths [{name, file}]; `options` as of makeSetOfZip(). */
export async function makeSetOfFound(found, title, options) {
  const blob = await askedMeanwhile(() => zipped(found, options));
  return makeSetOfZip({ blob, title, source: sourceOf(found) }, options);
}
