/** A training in the place of a picture: its curves while it goes on, then its network, to be tried and used. */

import { finishJob, pauseJob, resumeJob } from "./api.js";
import { attempt } from "./attempt.js";
import { makeClassTiles } from "./class_tiles.js";
import { el, showText } from "./dom.js";
import { isTerminal } from "./follow.js";
import { kindOf } from "./kinds.js";
import { refreshNetworks } from "./networks.js";
import { showNetworks } from "./network_list.js";
import { urlOf } from "./root.js";
import { makeCurves } from "./training_curves.js";
import { watchTraining } from "./training_events.js";
import { notesOf, percent, reportElements, verdictOf } from "./training_report.js";
import { makeTryIt } from "./try_it.js";
import { counted } from "./text.js";
import { FORMS, IMAGINE, TRAIN } from "./uses.js";

export const isTraining = (job) => job.kind === TRAIN;

/**
 * The training within the result's element. `onuse(kind, params)` opens a form, `onclass` is called for a class of a
 * picture that was tried. Returns {show(job), clear()}.
 */
export function makeTraining(element, { onuse, onclass, onjob }) {
  const part = (selector) => element.querySelector(selector);
  const top = part(".training");
  const report = part(".training-report");
  const finish = part('[data-action="finish"]');
  const pause = part('[data-action="pause"]');
  const problem = part(".progress-problem");
  const curves = makeCurves();
  const tryIt = makeTryIt();
  const tiles = makeClassTiles();
  const verdict = el("header", { class: "verdict", hidden: true });
  const uses = el("div", { class: "uses", role: "group", "aria-label": "Use the network", hidden: true });
  const notes = el("div", { class: "notes" });
  const waiting = el("p", { class: "waiting" });
  top.append(verdict, el("div", { class: "training-main" }, waiting, curves.element, tryIt.element), notes, uses, tiles.element);
  let job = null;
  let points = [];
  let stop = null;

  function clear() {
    stop?.();
    stop = null;
    job = null;
    points = [];
    tryIt.clear();
    tiles.clear();
    top.hidden = report.hidden = finish.hidden = pause.hidden = true;
    element.removeAttribute("data-training");
    showText(problem, null);
  }

  /** What is known of the finished network, once. */
  function renderEnd() {
    const { result } = job;
    const found = result ? verdictOf(result) : null;
    verdict.hidden = !found;
    if (found) {
      verdict.replaceChildren(
        el("p", { class: "verdict-share" }, found.share),
        el("p", { class: "verdict-words" }, found.words, el("span", { class: "help" }, factsOf(result))),
      );
    }
    notes.replaceChildren(...(result ? notesOf(result) : []));
    const parts = result ? reportElements(result) : [];
    report.replaceChildren(...parts);
    report.hidden = parts.length === 0;
    const network = result?.network ?? null;
    uses.hidden = network === null;
    if (network === null) {
      tryIt.clear();
      return;
    }
    tryIt.show(network, onclass);
    const see = kindOf(IMAGINE) ? [el("button", { type: "button", class: "button", onclick: () => tiles.show(network, result.classes) }, "See its classes")] : [];
    const forms = FORMS.filter(({ kind }) => kindOf(kind));
    uses.replaceChildren(
      ...see,
      ...forms.map(({ kind, title }) => el("button", { type: "button", class: "button", onclick: () => onuse(kind, { network }) }, title)),
      el("a", { class: "button", href: urlOf(`/v1/networks/${encodeURIComponent(network)}/export`), download: "" }, "Export"),
      el("button", { type: "button", class: "link", onclick: showNetworks }, "All networks"),
    );
    refreshNetworks();
  }

  /** "robin-net, 12,810 parameters, best in epoch 12 of 30". */
  function factsOf({ network, parameters, best_epoch: best, epochs, val_accuracy: validation, split }) {
    return [
      network,
      parameters ? counted(parameters, "parameter") : null,
      epochs ? (best ? `best in epoch ${best} of ${epochs}` : "no epoch made it better") : null,
      split?.validation && typeof validation === "number" ? `${percent(validation)} of the validation pictures` : null,
    ].filter(Boolean).join(", ");
  }

  function renderCurves() {
    curves.show(job, points);
    const words = job.state === "queued" ? "It begins when the training before it has ended." : "Looking at the pictures…";
    showText(waiting, curves.element.hidden && !isTerminal(job) ? words : null);
  }

  function renderActions() {
    const canAct = !isTerminal(job) && !job.cancel_requested;
    finish.hidden = !canAct || job.state !== "running" || !kindOf(job.kind)?.can_finish;
    finish.disabled = Boolean(job.finish_requested);
    pause.hidden = !canAct;
    pause.textContent = job.paused ? "Resume" : "Pause";
  }

  /** Ask the service for something; `onjob` gets the job that it answers with. */
  function act(request) {
    const { id } = job;
    return attempt(problem, async () => onjob(await request(id)), () => job?.id === id);
  }

  finish.addEventListener("click", () => act(finishJob));
  pause.addEventListener("click", () => act(job.paused ? resumeJob : pauseJob));

  function show(next) {
    const isNew = job?.id !== next.id;
    const hadEnded = !isNew && isTerminal(job);
    if (isNew) clear();
    job = next;
    top.hidden = false;
    element.setAttribute("data-training", "");
    renderActions();
    if (isNew) {
      stop = watchTraining(job.id, (all) => {
        points = all;
        renderCurves();
      });
    }
    if (isNew || !hadEnded) {
      renderCurves();
      renderEnd();
    }
  }

  return { show, clear };
}
