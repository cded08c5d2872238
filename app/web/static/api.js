/** Calls of the service's REST interface. */

import { urlOf } from "./root.js";

/** Problems of fields [{field, detail}], each once: many lines of a batch may have the same. */
export function distinctFields(errors) {
  const byText = new Map(errors.map(({ field, detail }) => [`${field} ${detail}`, { field, detail }]));
  return [...byText.values()];
}

/** An error that the service answered (application/problem+json, RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `The service answered ${status}.`);
    this.status = status;
    this.field = body.field ?? null;
    /** Of a batch: its first wrong lines [{line, custom_id, field, detail}], and how many are wrong in all. */
    this.lines = (body.errors ?? []).filter(({ line }) => line !== undefined);
    this.wrong = body.wrong ?? this.lines.length;
    /** Every wrong field: [{field, detail}]. */
    this.fields = body.errors?.length ? distinctFields(body.errors) : [{ field: this.field, detail: this.message }];
  }
}

/** The service did not answer. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. It may be restarting, or the network is down.");
  }
}

/** Statuses that a proxy answers while the service restarts. */
const UNAVAILABLE = new Set([502, 503, 504]);

/** What a body says; null for one that is no JSON: a page of a proxy. */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** What an answer that is no error says. Throws Unreachable for one that is not the service's, such as a page to log in. */
function answerOf(text) {
  const answer = parsed(text);
  // Some routes answer null.
  if (answer === null && text.trim() !== "null") throw new Unreachable();
  return answer;
}

/** What fetch and the bodies of its answers give. Throws Unreachable, or a DOMException if it was stopped. */
async function reached(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

/** The answer to a request, its body unread. Throws Problem, Unreachable. */
export async function ask(path, options = {}) {
  const response = await reached(fetch(urlOf(path), { cache: "no-store", ...options }));
  if (UNAVAILABLE.has(response.status)) throw new Unreachable();
  // The status of an error is enough.
  if (!response.ok) throw new Problem(response.status, parsed(await reached(response.text())) ?? {});
  return response;
}

export async function request(path, options = {}) {
  const response = await ask(path, options);
  return answerOf(await reached(response.text()));
}

export function post(path, body = null, headers = {}) {
  return request(path, {
    method: "POST",
    headers: body === null ? headers : { "Content-Type": "application/json", ...headers },
    body: body === null ? null : JSON.stringify(body),
  });
}

const patch = (path, body) =>
  request(path, { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Delete something. That it is gone already is as good. */
export async function remove(path) {
  try {
    await request(path, { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

export const getKinds = async () => (await request("/v1/kinds")).items;

export const getNetworks = async () => (await request("/v1/networks")).items;

/** The networks with the weights of this SHA-256. */
export const findNetworks = async (sha256) =>
  (await request(`/v1/networks?${new URLSearchParams({ sha256 })}`)).items;

/**
 * Import a network from a file that was exported, under the name in the file or another. The same key with the same file
 * and name makes no second one. Throws Problem, Unreachable, or a DOMException when the file cannot be read.
 */
export function importNetwork(file, name, key) {
  const body = new FormData();
  body.append("file", file, file.name);
  if (name) body.append("name", name);
  return send("/v1/networks", body, () => {}, new AbortController().signal, { "Idempotency-Key": key });
}

export const renameNetwork = (name, next) => patch(`/v1/networks/${encodeURIComponent(name)}`, { name: next });

export const deleteNetwork = (name) => remove(`/v1/networks/${encodeURIComponent(name)}`);

export const getImage = (id) => request(`/v1/images/${encodeURIComponent(id)}`);

/** A page of the uploads that no job and no set names, newest first. */
export const listUnused = (cursor = null) =>
  request(`/v1/images?${new URLSearchParams({ unused: true, limit: 100, ...(cursor ? { cursor } : {}) })}`);

export const deleteImage = (id) => remove(`/v1/images/${encodeURIComponent(id)}`);

/** What can be asked for again of the recipe in an uploaded picture: {kind, params, left_out}; null if it has none. */
export const getRecipe = (id) => request(`/v1/images/${encodeURIComponent(id)}/recipe`);

export const getJob = (id) => request(`/v1/jobs/${encodeURIComponent(id)}`);

/** A page of the jobs of some kinds, newest first, without those of batches. */
export function listJobs(limit, cursor, kinds) {
  const query = new URLSearchParams({ limit, batch: "none", ...(cursor ? { cursor } : {}) });
  for (const kind of kinds) query.append("kind", kind);
  return request(`/v1/jobs?${query}`);
}

export const cancelJob = (id) => post(`/v1/jobs/${encodeURIComponent(id)}/cancel`);

/** Let a running job end soon, with the best that it has so far. */
export const finishJob = (id) => post(`/v1/jobs/${encodeURIComponent(id)}/finish`);

export const pauseJob = (id) => post(`/v1/jobs/${encodeURIComponent(id)}/pause`);

export const resumeJob = (id) => post(`/v1/jobs/${encodeURIComponent(id)}/resume`);

/** Send a job. The same key with the same params makes no second job. An `urgent` job is claimed before all others. */
export const sendJob = (path, params, key, urgent = false) =>
  post(path, params, {
    "Idempotency-Key": key,
    // Answer at once, also for kinds whose route waits for the end by default: the page follows the job.
    Prefer: "respond-async",
    ...(urgent ? { "Impasto-Priority": "7" } : {}),
  });

/** URL of a picture, given an image id or `<job id>/<artifact>`. */
export function pictureUrl(reference) {
  const [id, artifact] = reference.split("/").map(encodeURIComponent);
  return urlOf(artifact ? `/v1/jobs/${id}/artifacts/${artifact}` : `/v1/images/${id}/content`);
}

/** All sets, newest first. */
export async function listDatasets() {
  const found = [];
  let cursor = null;
  do {
    const page = await request(`/v1/datasets?${new URLSearchParams({ limit: 100, ...(cursor ? { cursor } : {}) })}`);
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

export const getDataset = (reference) => request(`/v1/datasets/${encodeURIComponent(reference)}`);

/** What a set is like: {notes, widths, heights, ...}. */
export const getStatistics = (reference) => request(`/v1/datasets/${encodeURIComponent(reference)}/statistics`);

export const deleteDataset = (reference) => remove(`/v1/datasets/${encodeURIComponent(reference)}`);

export const renameDataset = (reference, name) => patch(`/v1/datasets/${encodeURIComponent(reference)}`, { name });

/** All members of a set, in order: [{position, image, url, label, name, part, ...}]. */
export async function listMembers(reference) {
  const found = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({ limit: 1000, ...(cursor === null ? {} : { cursor }) });
    const page = await request(`/v1/datasets/${encodeURIComponent(reference)}/members?${query}`);
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

/**
 * Make a set of the same pictures, of `changes` {name, labels, drop}: `labels` by position, without the positions of `drop`.
 * The same key with the same changes makes no second one.
 */
export const relabelDataset = (reference, changes, key) =>
  post(`/v1/datasets/${encodeURIComponent(reference)}/relabel`, changes, { "Idempotency-Key": key });

/** Upload a picture. `onprogress` gets the share sent, 0 to 1. */
export function uploadImage(file, onprogress, signal) {
  const form = new FormData();
  form.append("image", file, file.name);
  return send("/v1/images", form, onprogress, signal);
}

/**
 * Upload a ZIP (a Blob) as a set, which a job then fills and closes: the first of `jobs`. The same key with the same ZIP and
 * name makes no second one.
 */
export function uploadDataset(zip, name, key, onprogress, signal) {
  const form = new FormData();
  form.append("params", JSON.stringify({ name }));
  form.append("file", zip, `${name}.zip`);
  return send("/v1/datasets", form, onprogress, signal, { "Idempotency-Key": key });
}

/** Throws a DOMException if a body has a file that cannot be read, such as one that was changed since it was chosen. */
async function checkFiles(body) {
  const files = body instanceof FormData ? [...body.values()].filter((value) => value instanceof Blob) : [body];
  for (const file of files) await file.slice(0, 1).arrayBuffer();
}

/**
 * Send a form with files, or a file. fetch does not report the share that is sent. Throws Problem, Unreachable, or a
 * DOMException when a file cannot be read or `signal` stops it.
 */
export function send(path, body, onprogress, signal, headers = {}) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const call = new XMLHttpRequest();
    call.open("POST", urlOf(path));
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => event.lengthComputable && onprogress(event.loaded / event.total);
    // A file that cannot be read breaks the connection, too.
    call.onerror = () => checkFiles(body).then(() => reject(new Unreachable()), reject);
    call.onabort = () => reject(new DOMException("Upload stopped.", "AbortError"));
    call.onload = () => {
      const answer = parsed(call.responseText);
      if (UNAVAILABLE.has(call.status) || (call.status < 300 && answer === null)) reject(new Unreachable());
      else if (call.status < 300) resolve(answer);
      else reject(new Problem(call.status, answer ?? {}));
    };
    signal.addEventListener("abort", () => call.abort());
    call.send(body);
  });
}
