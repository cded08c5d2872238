/** The page's stream of events: one at most, shared by all that is shown, and none while the page is hidden. */

import { Problem, Unreachable } from "./api.js";
import { batchPath } from "./batch_api.js";
import { readEvents } from "./event_stream.js";
import { inTurn } from "./turns.js";

/** Jobs of a stream at most. All others are asked for from time to time, as are all while the stream is of a batch. */
const MAX_JOBS = 100;
/** Milliseconds to wait after a stream, and after the first, second, ... that could not be opened. */
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

/** Who listens to jobs: {id, seen, onevent}; `seen` is the seq of the last event that it got. */
const listeners = new Set();
/** Who listens to a batch: {id, lastId, onopen, onevent}, or null. */
let batch = null;
/** Jobs of the present stream, with the seq of their last event that it brought. */
let position = new Map();
/** Jobs whose last event came, with its seq. */
const ended = new Map();
/** Ends what goes on now; null: nothing does. */
let running = null;
let isOpen = false;
let isPlanned = false;
let wake = () => {};

/** Whether the events of a job arrive now. */
export const isLive = (id) => isOpen && position.has(id);

/** Jobs that somebody listens to, with the least that any of them has seen. */
function wantedJobs() {
  const wanted = new Map();
  for (const { id, seen } of listeners) {
    if (seen < (ended.get(id) ?? Infinity)) wanted.set(id, Math.min(seen, wanted.get(id) ?? Infinity));
  }
  return new Map([...wanted].slice(-MAX_JOBS));
}

function tell({ type, data }) {
  const { job_id: id, seq } = data;
  position.set(id, seq);
  if (type === "done") ended.set(id, seq);
  for (const listener of [...listeners]) {
    if (listener.id !== id || listener.seen >= seq || !listeners.has(listener)) continue;
    listener.seen = seq;
    listener.onevent({ type, data });
  }
}

/** What to read now: {path, lastId, jobs, onopen, onevent, onend}; null: nothing. */
function source() {
  if (batch) {
    const { id, lastId } = batch;
    return {
      path: `${batchPath(id, "events")}?replay=false`,
      lastId,
      jobs: new Map(),
      onopen: batch.onopen,
      onevent(event) {
        if (batch?.id !== id) return;
        batch.lastId = event.id;
        batch.onevent(event);
      },
      onend: () => batch?.id === id && stopBatch(),
    };
  }
  const jobs = wantedJobs();
  if (jobs.size === 0) return null;
  return {
    path: `/v1/events?${new URLSearchParams({ jobs: [...jobs.keys()].join() })}`,
    lastId: [...jobs.values()].join("."),
    jobs,
    onopen() {},
    onevent: tell,
    onend: () => jobs.forEach((seen, id) => ended.set(id, seen)),
  };
}

/** Read one stream to its end. Returns whether it could be opened. */
async function read({ path, lastId, jobs, onopen, onevent, onend }, signal) {
  let wasOpen = false;
  const open = () => {
    wasOpen = isOpen = true;
    position = new Map(jobs);
    onopen();
  };
  try {
    const hasMore = await inTurn(signal, (turn) => readEvents(path, lastId, { signal: turn, onopen: open, onevent }));
    if (!hasMore) onend();
  } catch (error) {
    // Another tab's turn, or a change of what is wanted.
    if (error.name === "AbortError") return true;
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
  } finally {
    isOpen = false;
  }
  return wasOpen;
}

async function run(signal) {
  let misses = 0;
  while (!signal.aborted && !document.hidden) {
    const next = source();
    if (!next) break;
    misses = (await read(next, signal)) ? 0 : misses + 1;
    if (signal.aborted) return;
    const pause = RETRY_MS[Math.min(misses, RETRY_MS.length - 1)];
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, pause);
    });
  }
}

function restart() {
  isPlanned = false;
  running?.abort();
  running = new AbortController();
  run(running.signal);
}

/** Begin anew, once for all that is listened to in this turn of the event loop. */
function plan() {
  if (isPlanned) return;
  isPlanned = true;
  setTimeout(restart);
}

/**
 * Call `onevent({type, data})` for every event of a job after a seq. Returns a function that stops it.
 */
export function listenToJob(id, seen, onevent) {
  const listener = { id, seen, onevent };
  listeners.add(listener);
  if (!isLive(id) || position.get(id) > seen) plan();
  return () => {
    if (!listeners.delete(listener)) return;
    if (listeners.size === 0) plan();
  };
}

/**
 * Call `onopen()` when the stream of a batch is open, then `onevent({type, data})` for every event, in the place of the
 * events of jobs. Returns a function that stops it.
 */
export function listenToBatch(id, { onopen, onevent }) {
  const own = { id, lastId: null, onopen, onevent };
  batch = own;
  plan();
  return () => batch === own && stopBatch();
}

function stopBatch() {
  batch = null;
  plan();
}

document.addEventListener("visibilitychange", () => (document.hidden ? running?.abort() : plan()));
addEventListener("online", () => wake());
