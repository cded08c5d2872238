/** The curves of a training: loss, accuracy and learning rate, from its events, and its history when it has ended. */

import { lineChart } from "./charts.js";
import { el } from "./dom.js";
import { isTerminal } from "./follow.js";
import { dotsOf, lineOf } from "./training_events.js";
import { formatNumber } from "./text.js";

const percent = (share) => `${formatNumber(100 * share)}\u00a0%`;

/** Accuracies end at 100 %, and begin at the ten below the least. */
function limitsOfShares(values) {
  const least = values.length ? Math.min(...values) : 0;
  return { low: Math.max(0, Math.floor(least * 10 - 0.01) / 10), high: 1.02 };
}

const CHARTS = [
  { name: "loss", title: "Loss", validation: "validation.loss", limits: () => ({ low: 0 }) },
  { name: "accuracy", title: "Accuracy", validation: "validation.accuracy", format: percent, limits: limitsOfShares },
  { name: "rate", title: "Learning rate", validation: null, height: 96, smooth: false, limits: () => ({ low: 0 }) },
];

const isNumber = ([, value]) => typeof value === "number";

/** Whether a job runs several trainings, whose steps follow each other. */
const isSeveral = ({ restarts = 1, folds, search }) => restarts > 1 || Boolean(folds) || Boolean(search);

/** Steps behind those of the epochs: the report. */
const BEHIND = 1;

/**
 * Steps of an epoch, from events that name theirs, from 1 on. A job has steps before those of its epochs, which read
 * the pictures; each event says how many an epoch may have at least and at most, and soon they agree.
 */
function stepsOf(named, epochs) {
  const left = ({ done, total }) => total - BEHIND - done;
  const least = Math.max(...named.map((point) => left(point) / (epochs - point.losses.epoch + 1)));
  const most = Math.min(...named.filter(({ losses }) => losses.epoch < epochs).map((point) => left(point) / (epochs - point.losses.epoch)));
  return Math.max(1, Math.round(Number.isFinite(most) ? (least + most) / 2 : Math.ceil(least)));
}

/** The x axis: epochs where a job runs one training, else steps: {unit, end, at(done)}. */
function axisOf(job, points) {
  // The last event of a training that was stopped has another total.
  const named = points.filter(({ done, total, losses }) => losses.epoch && done < total);
  const { epochs } = job.params;
  // Of several, the one that was kept is shown in the end.
  if (isSeveral(job.params) && job.result?.history?.length) return { unit: "epoch", end: job.result.history.at(-1).epoch, at: null };
  if (!epochs || isSeveral(job.params)) return { unit: "step", end: points.at(-1)?.total ?? 1, at: (done) => done };
  if (named.length === 0) return { unit: "epoch", end: epochs, at: () => 0 };
  const steps = stepsOf(named, epochs);
  const before = Math.max(named[0].total - BEHIND - epochs * steps, ...named.map(({ done, losses }) => done - losses.epoch * steps));
  return { unit: "epoch", end: epochs, at: (done) => Math.max(0, (done - before) / steps) };
}

/** The points of one chart. Events of a short training are few: then its line is that of its epochs. */
function seriesOf({ name, validation }, job, points, axis) {
  const history = job.result?.history ?? [];
  const epochs = (key) => history.map((row) => [row.epoch, row[key]]).filter(isNumber);
  const line = !axis.at ? [] : lineOf(points, name).map(([done, value]) => [axis.at(done), value]);
  // What is measured at the end of an epoch is told by the steps of the next one, too.
  const endOf = (done) => (axis.unit === "epoch" ? Math.max(1, Math.floor(axis.at(done))) : done);
  const measured = history.length || !validation ? epochs(validation?.replace(".", "_")) : dotsOf(points, validation).map(([done, value]) => [endOf(done), value]);
  return { train: line.length > history.length ? line : epochs(name), validation: measured };
}

/** Returns {element, show(job, points)}, hidden as long as there is no line; `points` are the job's events (see training_events.js). */
export function makeCurves() {
  const charts = CHARTS.map((chart) => ({ ...chart, line: lineChart(chart) }));
  const element = el("div", { class: "curves", role: "group", "aria-label": "Curves" }, ...charts.map(({ line }) => line.element));

  function show(job, points) {
    const axis = axisOf(job, points);
    const all = charts.map((chart) => seriesOf(chart, job, points, axis));
    const reached = Math.max(0, ...all.flatMap(({ train, validation }) => [...train, ...validation].map(([x]) => x)));
    const from = axis.unit === "epoch" ? 0 : Math.min(reached, ...all.flatMap(({ train }) => train.map(([x]) => x)));
    const best = axis.unit === "epoch" ? (job.result?.best_epoch ?? null) : null;
    // A classifier on features that do not change is learned at once: there are no curves then.
    element.hidden = all.every(({ train }) => train.length < 2);
    for (const [place, { line }] of charts.entries()) {
      line.update({ ...all[place], unit: axis.unit, best, domain: [from, isTerminal(job) ? reached : axis.end] });
    }
  }

  return { element, show };
}
