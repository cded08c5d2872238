/** Calls of the service's REST interface about batches: many jobs in one call. */

import { post, remove, request, send } from "./api.js";
import { askedMeanwhile } from "./leaving.js";

/** The path of a batch, or of a part of it. */
export const batchPath = (id, part = null) =>
  `/v1/batches/${encodeURIComponent(id)}${part === null ? "" : `/${part}`}`;

const JSONL = { "Content-Type": "application/x-ndjson" };

const withKey = (key) => ({ "Idempotency-Key": key });

/** What a matrix ({kind, params, over, combine}) would be: its lines, what is wrong with them, and an estimate. */
export const estimateMatrix = (matrix) => post("/v1/batches?dry_run=true&errors=skip", matrix);

/** Make a batch of a matrix. The same key with the same matrix makes no second batch. */
export const sendMatrix = (matrix, name, key) =>
  post(`/v1/batches?${new URLSearchParams({ name })}`, matrix, withKey(key));

/** What one job would be, in the same words, which are no error where it would be refused. */
export const estimateJob = (kind, params) =>
  request("/v1/batches?dry_run=true&errors=skip", {
    method: "POST",
    headers: JSONL,
    body: JSON.stringify({ custom_id: "1", kind, params }),
  });

/** What a file of lines would be. `onprogress` gets the share sent, 0 to 1. */
export const estimateLines = (file, onprogress, signal) =>
  send("/v1/batches?dry_run=true&errors=skip", file, onprogress, signal, JSONL);

/** Make a batch of a file of lines; wrong ones become failed entries. */
export function sendLines(file, name, key, onprogress, signal) {
  const query = new URLSearchParams({ name, errors: "skip" });
  const headers = { ...JSONL, ...withKey(key) };
  return askedMeanwhile(() => send(`/v1/batches?${query}`, file, onprogress, signal, headers));
}

export const getBatch = (id) => request(batchPath(id));

/** A page of batches, newest first. */
export const listBatches = (limit, cursor) =>
  request(`/v1/batches?${new URLSearchParams({ limit, ...(cursor ? { cursor } : {}) })}`);

/** `action`: cancel, pause, resume, or retry. */
export const controlBatch = (id, action) => post(batchPath(id, action));

export const deleteBatch = (id) => remove(batchPath(id));

/** Entries from a line on, in order: {items, next_line}. `state` leaves out all others. */
export const listEntries = (id, from, limit, state = null) =>
  request(`${batchPath(id, "entries")}?${new URLSearchParams({ from, limit, ...(state ? { state } : {}) })}`);
