/** Follow several jobs over one connection: browsers open few at a time. */

import { getJob, Problem, Unreachable } from "./api.js";
import { isTerminal } from "./follow.js";

/** Milliseconds between two requests for the jobs that go on, in case an event was lost. */
const POLL_MS = 4000;

/** Call `onjob(job)` at every change of jobs until they end. Returns a function that stops it. */
export function followMany(ids, onjob) {
  const going = new Set(ids);
  /** Ids that are being fetched, and whether they changed meanwhile. */
  const fetching = new Map();
  const events = new EventSource(`/v1/events?${new URLSearchParams({ jobs: ids.join() })}`);
  const timer = setInterval(() => going.forEach(fetchJob), POLL_MS);

  function stop() {
    going.clear();
    clearInterval(timer);
    events.close();
  }

  async function fetchJob(id) {
    if (!going.has(id)) return;
    if (fetching.has(id)) {
      fetching.set(id, true);
      return;
    }
    fetching.set(id, false);
    try {
      const job = await getJob(id);
      if (!going.has(id)) return;
      if (isTerminal(job)) going.delete(id);
      onjob(job);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      // A job that was deleted does not end any more; for all else there is the next poll.
      if (error.status === 404) going.delete(id);
    } finally {
      const again = fetching.get(id);
      fetching.delete(id);
      if (going.size === 0) stop();
      else if (again) fetchJob(id);
    }
  }

  for (const type of ["state", "progress", "preview", "done"]) {
    events.addEventListener(type, ({ data }) => fetchJob(JSON.parse(data).job_id));
  }
  return stop;
}
