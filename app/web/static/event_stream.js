/** Read a stream of server-sent events. EventSource gives up after an answer of a proxy, and cannot say where to go on. */

import { ask, Unreachable } from "./api.js";

/** Milliseconds without a byte after which a stream is dead: the service sends a comment every 15 s. */
const SILENT_MS = 45_000;

/** The fields of an event: {id, event, data}. A comment has none. */
function fieldsOf(text) {
  const fields = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  return fields;
}

/**
 * Call `onevent({id, type, data})` for every event after that of an id, null: from the first on, until the stream ends.
 * `onopen()` is called before. Returns whether there will be more. Throws Problem, Unreachable, `signal`'s reason, or what
 * these two throw.
 */
export async function readEvents(path, lastId, { signal, onopen, onevent }) {
  const ending = new AbortController();
  const end = () => ending.abort();
  let watch = setTimeout(end, SILENT_MS);
  signal.addEventListener("abort", end);

  /** What the service gives of the stream. */
  async function reached(answer) {
    try {
      return await answer;
    } catch (error) {
      signal.throwIfAborted();
      // The connection broke, or says nothing any more.
      if (error instanceof TypeError || error.name === "AbortError") throw new Unreachable();
      throw error;
    }
  }

  try {
    signal.throwIfAborted();
    const headers = lastId === null ? {} : { "Last-Event-ID": lastId };
    const response = await reached(ask(path, { headers, signal: ending.signal }));
    if (response.status === 204) return false;
    onopen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reached(reader.read());
      if (done) return true;
      clearTimeout(watch);
      watch = setTimeout(end, SILENT_MS);
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const { id, event, data } of parts.map(fieldsOf)) {
        if (data !== undefined && !signal.aborted) onevent({ id, type: event, data: JSON.parse(data) });
      }
    }
  } finally {
    // Closes the connection where the stream was left before its end.
    end();
    clearTimeout(watch);
    signal.removeEventListener("abort", end);
  }
}
