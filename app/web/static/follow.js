/** Follow a job until it ends. */

import { getJob, Unreachable } from "./api.js";

const TERMINAL = new Set(["succeeded", "failed", "cancelled"]);

/** Milliseconds between two looks at a job that the events should make needless. */
const SAFETY = 5000;
/** Waits after the first, second, ... look that got no answer. */
const AWAY = [500, 1000, 2000, 4000];

/** Whether a job will not change any more. */
export const isTerminal = (job) => TERMINAL.has(job.state);

/**
 * Call `onjob(job)` now and at every change until the job ends, `onlink(connected)` when the service
 * stops or starts answering, and `onlost(problem)` if there is no such job. Returns a function that stops it.
 *
 * The service's events say when to look; looking now and then anyway makes up for those that get lost.
 */
export function follow(id, { onjob, onlink, onlost }) {
  let timer = null;
  let looking = false;
  let again = false;
  let stopped = false;
  let misses = 0;
  let seen = 0;
  const events = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  for (const type of ["state", "progress", "preview", "done"]) events.addEventListener(type, heard);

  function stop() {
    stopped = true;
    clearTimeout(timer);
    events.close();
    document.removeEventListener("visibilitychange", lookNow);
    removeEventListener("online", lookNow);
  }

  /** Look, unless this is the replay of what the last look has shown. */
  function heard(event) {
    if (Number(event.lastEventId) > seen) lookNow();
  }

  async function look() {
    looking = true;
    again = false;
    let wait = SAFETY;
    try {
      const job = await getJob(id);
      if (stopped) return;
      if (misses > 0) onlink(true);
      misses = 0;
      seen = job.seq;
      if (isTerminal(job)) stop();
      onjob(job);
    } catch (error) {
      if (stopped) return;
      const away = error instanceof Unreachable || error.status >= 500;
      if (!away) {
        stop();
        onlost(error);
        return;
      }
      wait = AWAY[Math.min(misses, AWAY.length - 1)];
      misses += 1;
      onlink(false);
    } finally {
      looking = false;
    }
    if (stopped) return;
    if (again && misses === 0) look();
    else timer = setTimeout(look, wait);
  }

  function lookNow() {
    if (stopped || document.hidden) return;
    if (looking) {
      again = true;
      return;
    }
    clearTimeout(timer);
    look();
  }

  document.addEventListener("visibilitychange", lookNow);
  addEventListener("online", lookNow);
  look();
  return stop;
}
