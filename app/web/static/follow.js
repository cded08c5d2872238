/** Follow a job until it ends. */

import { getJob, Unreachable } from "./api.js";

const TERMINAL = new Set(["succeeded", "failed", "cancelled"]);

/** Milliseconds between two looks at a job: in sight, and with the tab hidden. */
const IN_SIGHT = 500;
const HIDDEN = 5000;
/** Waits after the first, second, ... look that got no answer. */
const AWAY = [500, 1000, 2000, 4000];

/** Whether a job will not change any more. */
export const isTerminal = (job) => TERMINAL.has(job.state);

/**
 * Call `onjob(job)` now and at every change until the job ends, `onlink(connected)` when the service
 * stops or starts answering, and `onlost(problem)` if there is no such job. Returns a function that stops it.
 */
export function follow(id, { onjob, onlink, onlost }) {
  let timer = null;
  let looking = false;
  let stopped = false;
  let misses = 0;

  function stop() {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", lookNow);
    removeEventListener("online", lookNow);
  }

  async function look() {
    looking = true;
    let wait = document.hidden ? HIDDEN : IN_SIGHT;
    try {
      const job = await getJob(id);
      if (stopped) return;
      if (misses > 0) onlink(true);
      misses = 0;
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
    if (!stopped) timer = setTimeout(look, wait);
  }

  function lookNow() {
    if (looking || stopped || document.hidden) return;
    clearTimeout(timer);
    look();
  }

  document.addEventListener("visibilitychange", lookNow);
  addEventListener("online", lookNow);
  look();
  return stop;
}
