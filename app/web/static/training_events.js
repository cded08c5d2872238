/** The course of a training: the `progress` events of its job, from the first one on. */

import { listenToJob } from "./events.js";

/**
 * Collect the events of a job: those that were, then live. `onchange(points)` gets all so far, at most once a frame:
 * [{done, total, losses}]. Returns a function that stops it.
 */
export function watchTraining(id, onchange) {
  let points = [];
  let frame = null;

  function report() {
    frame = null;
    onchange(points);
  }

  const stop = listenToJob(id, 0, ({ type, data }) => {
    if (type === "done") stop();
    if (type !== "progress") return;
    const { done, total, losses } = data;
    // A job that was interrupted goes on from its last checkpoint: what came after that comes again.
    if (points.length && done <= points.at(-1).done) points = points.filter((point) => point.done < done);
    points.push({ done, total, losses: losses ?? {} });
    frame ??= requestAnimationFrame(report);
  });
  return () => {
    stop();
    if (frame !== null) cancelAnimationFrame(frame);
  };
}

/** Points [[done, value]] of one of the losses. */
export function lineOf(points, name) {
  return points.filter(({ losses }) => name in losses).map(({ done, losses }) => [done, losses[name]]);
}

/**
 * Points of what is measured at the end of each epoch: an event repeats the last measurement, so a point is where
 * one of them changes.
 */
export function dotsOf(points, name) {
  const dots = [];
  let before = null;
  for (const { done, losses } of points) {
    if (!(name in losses)) continue;
    const measured = Object.entries(losses).filter(([key]) => key.startsWith("validation.")).join();
    if (measured !== before) dots.push([done, losses[name]]);
    before = measured;
  }
  return dots;
}
