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
  { name: "rate", title: "Learning rate", validation: null, height: 96, limits: () => ({ low: 0 }) },
];

const isNumber = ([, value]) => typeof value === "number";

/** Whether a job runs several trainings, whose steps follow each other. */
const isSeveral = ({ restarts = 1, folds, search }) => restarts > 1 || Boolean(folds) || Boolean(search);

/** What the x axis counts: epochs where their number is known, or steps. */
function axisOf(job, total) {
  const { epochs } = job.params;
  return epochs && total && !isSeveral(job.params) ? { unit: "epoch", scale: epochs / total } : { unit: "step", scale: 1 };
}

/** The points of one chart. Events of a short training are few: then its line is that of its epochs. */
function seriesOf({ name, validation }, job, points, axis) {
  const history = isSeveral(job.params) ? [] : (job.result?.history ?? []);
  const epochs = (key) => history.map((row) => [row.epoch / axis.scale, row[key]]).filter(isNumber);
  const line = lineOf(points, name);
  const measured = history.length ? epochs(validation?.replace(".", "_")) : dotsOf(points, validation);
  return { train: line.length > history.length ? line : epochs(name), validation: validation ? measured : [] };
}

/** Returns {element, show(job, points)}, hidden as long as there is no line; `points` are the job's events (see training_events.js). */
export function makeCurves() {
  const charts = CHARTS.map((chart) => ({ ...chart, line: lineChart(chart) }));
  const element = el("div", { class: "curves", role: "group", "aria-label": "Curves" }, ...charts.map(({ line }) => line.element));

  function show(job, points) {
    const total = points.at(-1)?.total ?? job.progress?.total ?? 0;
    const axis = axisOf(job, total);
    const all = charts.map((chart) => seriesOf(chart, job, points, axis));
    const reached = Math.max(0, ...all.flatMap(({ train, validation }) => [...train, ...validation].map(([x]) => x)));
    const best = job.result?.best_epoch && axis.unit === "epoch" ? job.result.best_epoch / axis.scale : null;
    // A classifier on features that do not change is learned at once: there are no curves then.
    element.hidden = all.every(({ train }) => train.length < 2);
    for (const [place, { line }] of charts.entries()) {
      line.update({ ...all[place], axis, best, domain: [0, isTerminal(job) ? reached : total] });
    }
  }

  return { element, show };
}
