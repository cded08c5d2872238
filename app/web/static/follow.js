/** Follow a job until it ends. */

import { cancelJob, getJob, Problem, Unreachable } from "./api.js";
import { isLive, listenToJob } from "./events.js";

const TERMINAL = new Set(["succeeded", "failed", "cancelled"]);

/** Milliseconds between two requests for a job, in case an event was lost. */
const POLL_MS = 5000;
/** The same while the page gets no events of it. */
const QUICK_POLL_MS = 1500;
/** Milliseconds to wait after the first, second, ... request without an answer. */
const RETRY_MS = [500, 1000, 2000, 4000];

const retryAfter = (misses) => RETRY_MS[Math.min(misses, RETRY_MS.length - 1)];

/** Whether a job has ended. */
export const isTerminal = (job) => TERMINAL.has(job.state);

/**
 * Call `onjob(job)` now and at every change until the job ends, `onconnection(connected)` when the service
 * stops or starts answering, and `onproblem(problem)` if there is no such job. Returns a function that stops it.
 *
 * The service's events say when to fetch the job; polling makes up for events that are lost.
 */
export function follow(id, { onjob, onconnection, onproblem }) {
  let timer = null;
  let fetching = false;
  let again = false;
  let stopped = false;
  let misses = 0;
  let unlisten = null;

  function stop() {
    stopped = true;
    clearTimeout(timer);
    unlisten?.();
    document.removeEventListener("visibilitychange", fetchNow);
    removeEventListener("online", fetchNow);
  }

  async function fetchJob() {
    fetching = true;
    again = false;
    let wait = null;
    try {
      const job = await getJob(id);
      if (stopped) return;
      if (misses > 0) onconnection(true);
      misses = 0;
      if (isTerminal(job)) stop();
      else unlisten ??= listenToJob(id, job.seq, fetchNow);
      onjob(job);
    } catch (error) {
      if (stopped) return;
      const unavailable = error instanceof Unreachable || error.status >= 500;
      if (!unavailable) {
        stop();
        onproblem(error);
        return;
      }
      wait = retryAfter(misses);
      misses += 1;
      onconnection(false);
    } finally {
      fetching = false;
    }
    if (stopped) return;
    if (again && misses === 0) fetchJob();
    else timer = setTimeout(fetchJob, wait ?? (isLive(id) || document.hidden ? POLL_MS : QUICK_POLL_MS));
  }

  function fetchNow() {
    if (stopped || document.hidden) return;
    if (fetching) {
      again = true;
      return;
    }
    clearTimeout(timer);
    fetchJob();
  }

  document.addEventListener("visibilitychange", fetchNow);
  addEventListener("online", fetchNow);
  fetchJob();
  return stop;
}

/** The job when it has ended; `onjob(job)` is called at every change, `signal` cancels it. Throws Problem. */
export function waitForJob(id, signal, onjob) {
  let hasEnded = false;

  /** Ask that it be cancelled until the service answers. */
  async function cancel() {
    for (let misses = 0; !hasEnded; misses += 1) {
      try {
        const job = await cancelJob(id);
        if (!hasEnded) onjob(job);
        return;
      } catch (error) {
        if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
        // It has ended meanwhile.
        if (error.status < 500) return;
      }
      await new Promise((resolve) => setTimeout(resolve, retryAfter(misses)));
    }
  }
  return new Promise((resolve, reject) => {
    if (signal.aborted) void cancel();
    else signal.addEventListener("abort", cancel, { once: true });
    /** From now on the signal is about something else. */
    function end(settle, value) {
      hasEnded = true;
      signal.removeEventListener("abort", cancel);
      settle(value);
    }
    follow(id, {
      onjob: (job) => (isTerminal(job) ? end(resolve, job) : onjob(job)),
      onconnection() {},
      onproblem: (problem) => end(reject, problem),
    });
  });
}
