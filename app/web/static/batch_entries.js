/** An open batch: its entries, fetched where they are looked at, and kept up to date as long as it runs. */

import { Unreachable } from "./api.js";
import { getBatch, listEntries } from "./batch_api.js";
import { hasEnded } from "./batches.js";
import { listenToBatch } from "./events.js";

/** Entries that are fetched at a time. */
const PAGE = 500;
/** Milliseconds between two requests for the batch and for what runs of it: events name no progress, and may be lost. */
const POLL_MS = 3000;
/** Entries that run at a time whose progress is shown. */
const MOST_RUNNING = 200;

const unmade = ({ counts }) => counts.failed + counts.cancelled;

const EMPTY = { custom_id: null, kind: null, job_id: null, progress: null, artifacts: [], error: null };

/**
 * Open a batch of an id. `onbatch(batch)` is called when it changed, `onentries()` when entries did, at most once a frame,
 * `onconnection(connected)` when the service stops or starts answering, `onproblem(problem)` if there is no such batch.
 * Events come only between watch() and rest(), and while the page is visible: browsers open few connections at a time.
 */
export function openEntries(id, { onbatch, onentries, onconnection, onproblem }) {
  let batch = null;
  /** Entries by line, and when each changed last by an event. */
  const entries = new Map();
  const changedAt = new Map();
  let clock = 0;
  /** Numbers of pages: up to date; being fetched, and whether they are to be fetched again after that; in view. */
  const fresh = new Set();
  const loading = new Map();
  let wanted = [];
  let isWatching = false;
  let isClosed = false;
  let unlisten = null;
  let timer = null;
  let isPolling = false;
  let frame = 0;
  let misses = 0;

  const pageOf = (line) => Math.floor((line - 1) / PAGE);

  function tell() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      onentries();
    });
  }

  /** The service answered, or did not. Whether an error was that. */
  function answered(error = null) {
    // What is shown now says itself whether it is answered.
    if (isClosed) return true;
    if (error === null) {
      if (misses) onconnection(true);
      misses = 0;
      return true;
    }
    if (error instanceof Unreachable || error.status >= 500) {
      // Without a request to come nothing would say that it answers again.
      if (isWatching) {
        misses += 1;
        onconnection(false);
        pollLater();
      }
      return true;
    }
    if (error.status !== 404) throw error;
    close();
    onproblem(error);
    return true;
  }

  async function load(page) {
    if (fresh.has(page)) return;
    if (loading.has(page)) {
      loading.set(page, true);
      return;
    }
    loading.set(page, false);
    fresh.add(page);
    const began = clock;
    try {
      const { items } = await listEntries(id, page * PAGE + 1, PAGE);
      // What an event said meanwhile is newer.
      for (const item of items) if ((changedAt.get(item.line) ?? 0) <= began) entries.set(item.line, item);
      tell();
      answered();
    } catch (error) {
      fresh.delete(page);
      answered(error);
    }
    const again = loading.get(page);
    loading.delete(page);
    if (again) load(page);
  }

  const loadWanted = () => Promise.all(wanted.map(load));

  function show(next) {
    const ended = batch && !hasEnded(batch) && hasEnded(next);
    // No event tells that an entry is in the queue again.
    const retried = batch && unmade(next) < unmade(batch);
    batch = next;
    onbatch(batch);
    // Events may have been lost: at the end all is fetched again where it is looked at.
    if (ended || retried) {
      fresh.clear();
      loadWanted();
    }
    if (hasEnded(batch)) disconnect();
    else if (isWatching && !document.hidden) connect();
  }

  /** Show what runs, and forget pages of entries that were thought to. */
  function showRunning(items) {
    const running = new Set(items.map(({ line }) => line));
    for (const item of items) {
      const old = entries.get(item.line);
      if (old && hasEnded(old) && old.job_id === item.job_id) continue;
      entries.set(item.line, item);
    }
    if (items.length < MOST_RUNNING) {
      for (const { line, state } of entries.values()) if (state === "running" && !running.has(line)) fresh.delete(pageOf(line));
    }
    tell();
  }

  async function poll() {
    if (isPolling) return;
    isPolling = true;
    clearTimeout(timer);
    try {
      const next = await getBatch(id);
      answered();
      if (!isWatching) return;
      const running = next.counts.running ? (await listEntries(id, 1, MOST_RUNNING, "running")).items : [];
      if (!isWatching) return;
      show(next);
      showRunning(running);
      await loadWanted();
    } catch (error) {
      answered(error);
    } finally {
      isPolling = false;
    }
    if (misses || !(batch && hasEnded(batch))) pollLater();
  }

  function pollLater() {
    clearTimeout(timer);
    if (isWatching && !document.hidden) timer = setTimeout(poll, POLL_MS);
  }

  function onentry(next) {
    const old = entries.get(next.line);
    // A replay of what is known.
    if (old && old.job_id === next.job_id && hasEnded(old) && !hasEnded(next)) return;
    clock += 1;
    changedAt.set(next.line, clock);
    entries.set(next.line, { ...EMPTY, ...old, progress: null, error: null, ...next });
    // Events do not say why.
    if (next.state === "failed") fresh.delete(pageOf(next.line));
    tell();
  }

  function connect() {
    unlisten ??= listenToBatch(id, {
      // What changed before the stream was open.
      onopen() {
        fresh.clear();
        loadWanted();
      },
      onevent({ type, data }) {
        if (type === "entry") onentry(data);
        else if (batch) show({ ...batch, ...data });
      },
    });
  }

  function disconnect() {
    unlisten?.();
    unlisten = null;
  }

  function onvisibility() {
    if (document.hidden) {
      disconnect();
      clearTimeout(timer);
    } else {
      fresh.clear();
      poll();
    }
  }

  function rest() {
    isWatching = false;
    misses = 0;
    clearTimeout(timer);
    disconnect();
    document.removeEventListener("visibilitychange", onvisibility);
  }

  function watch() {
    if (isWatching || isClosed) return;
    isWatching = true;
    // Meanwhile no events came.
    if (batch && !hasEnded(batch)) fresh.clear();
    document.addEventListener("visibilitychange", onvisibility);
    poll();
  }

  function close() {
    isClosed = true;
    rest();
    cancelAnimationFrame(frame);
  }

  return {
    watch,
    rest,
    close,
    get: (line) => entries.get(line),
    /** An entry, fetched if it is not known to be a job, or null. */
    async fetch(line) {
      if (!entries.get(line)?.job_id) {
        fresh.delete(pageOf(line));
        await load(pageOf(line));
      }
      return entries.get(line) ?? null;
    },
    /** The line of a job, among the entries that are known, or null. */
    lineOf: (jobId) => [...entries.values()].find(({ job_id: other }) => other === jobId)?.line ?? null,
    /** Fetch the entries of these lines, which are in view. */
    want(lines) {
      wanted = [...new Set(lines.map(pageOf))];
      if (batch) loadWanted();
    },
    /** Show the batch as a call answered, such as one that pauses it. */
    update(next) {
      if (!isWatching) return;
      fresh.clear();
      show(next);
      poll();
    },
  };
}
