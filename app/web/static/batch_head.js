/** The head of an open batch: how far it is, what can be done with it, and why entries failed. */

import { Problem, Unreachable } from "./api.js";
import { batchPath, controlBatch, deleteBatch } from "./batch_api.js";
import { addressOf, captionOf, countedEntries, endedOf, hasEnded, numbersOf, shareOf, stateWords, titleOf } from "./batches.js";
import { el, showText } from "./dom.js";
import { urlOf } from "./root.js";

/** What the button says that tries again; null: all was made. */
function retryLabel({ counts: { failed, cancelled }, wrong }) {
  const shown = (number) => number.toLocaleString("en");
  if (failed + cancelled === 0) return null;
  if (cancelled) return `Make the other ${shown(failed + cancelled)}`;
  if (failed === wrong) return wrong === 1 ? "Check the wrong line again" : `Check the ${shown(wrong)} wrong lines again`;
  return failed === 1 ? "Try the failed one again" : `Try the ${shown(failed)} failed ones again`;
}

/** The head within an element. `onbatch(batch)` gets the answer to a control, `ondelete(id)` is called when it is deleted. */
export function makeBatchHead(element, { onbatch, ondelete }) {
  const part = (selector) => element.querySelector(selector);
  const action = (name) => part(`[data-action="${name}"]`);
  const progress = part(".progress-bar");
  let batch = null;
  let announced = "";
  let isUnreachable = false;
  /** The batch that a request is on its way about. */
  let asking = null;

  function announce(text) {
    if (text !== announced) part(".batch-announcer").textContent = text;
    announced = text;
  }

  /** Ask before something is lost; null: ask nothing. */
  function ask(name, focusBack = null) {
    for (const question of element.querySelectorAll(".question")) question.hidden = question.dataset.question !== name;
    part(".batch-actions").hidden = name !== null;
    if (name) part(`[data-question="${name}"] button`).focus();
    else if (focusBack) action(focusBack).focus();
  }

  function showProblem(text) {
    showText(part(".batch-problem"), text);
    isUnreachable = false;
  }

  /** Make a request about the batch, one at a time. Another batch may be shown when it is answered. */
  async function attempt(request) {
    const { id } = batch;
    if (asking === id) return;
    asking = id;
    const isShown = () => batch?.id === id;
    showProblem(null);
    try {
      await request(id);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      if (isShown()) {
        showProblem(error.message);
        isUnreachable = error instanceof Unreachable;
      }
    }
    if (asking === id) asking = null;
    if (isShown()) ask(null);
  }

  const control = (name) => attempt(async (id) => onbatch(await controlBatch(id, name)));

  const remove = () => attempt(async (id) => {
    await deleteBatch(id);
    ondelete(id);
  });

  function renderActions() {
    const { counts, paused, cancel_requested: stopping, samples } = batch;
    const ended = hasEnded(batch);
    action("pause").hidden = ended || paused || stopping;
    action("resume").hidden = ended || !paused || stopping;
    action("stop").hidden = ended || stopping;
    action("retry").hidden = !ended || retryLabel(batch) === null;
    action("retry").textContent = retryLabel(batch);
    action("delete").hidden = !ended;
    action("archive").className = ended ? "primary" : "button";
    action("archive").textContent = ended ? "Download all" : "Download so far";
    part('[data-question="stop"] p').textContent = `Stop here? ${countedEntries(batch, batch.lines - endedOf(batch))} will not be made; those that are made stay.`;
    part('[data-question="delete"] p').textContent = counts.succeeded
      ? `Delete this batch with the ${countedEntries(batch, counts.succeeded)} that it made?`
      : "Delete this batch?";
    for (const [name, path, has] of [
      ["archive", "archive", counts.succeeded],
      ["sheet", "contact-sheet", samples.length],
      ["results", "results", counts.succeeded],
      ["errors", "errors", counts.failed + counts.cancelled],
    ]) {
      action(name).hidden = !has;
      action(name).href = urlOf(batchPath(batch.id, path));
    }
  }

  /** The first failed entries, those that failed for one reason together. */
  function renderErrors() {
    const errors = part(".batch-errors");
    const reasons = new Map();
    for (const failed of batch.first_errors) {
      const reason = failed.error.detail ?? failed.error.title;
      reasons.set(reason, [...(reasons.get(reason) ?? []), failed]);
    }
    const nameOf = ({ line, custom_id: name, job_id: job }) => {
      const text = batch.matrix ? captionOf(batch, line, null) : [`Line ${line}`, name].filter(Boolean).join(", ");
      return job ? el("a", { href: addressOf(batch.id, job) }, text) : text;
    };
    const items = [...reasons].map(([reason, all]) => el("li", {}, ...all.flatMap((each, i) => [i ? "; " : "", nameOf(each)]), el("span", { class: "reason" }, reason)));
    const more = batch.counts.failed - batch.first_errors.length;
    if (more > 0) items.push(el("li", {}, `and ${more.toLocaleString("en")} more`));
    errors.hidden = items.length === 0;
    const text = items.map((item) => item.textContent).join();
    // Links keep the focus while nothing changes.
    if (errors.dataset.text === text) return;
    errors.dataset.text = text;
    part(".batch-errors ul").replaceChildren(...items);
  }

  for (const name of ["pause", "resume", "retry"]) action(name).addEventListener("click", () => control(name));
  for (const name of ["stop", "delete"]) {
    action(name).addEventListener("click", () => ask(name));
    part(`[data-question="${name}"] [data-action="keep"]`).addEventListener("click", () => ask(null, name));
  }
  action("confirm-stop").addEventListener("click", () => control("cancel"));
  action("confirm-delete").addEventListener("click", remove);

  return {
    clear() {
      batch = null;
      announced = "";
      ask(null);
      showProblem(null);
    },
    render(next) {
      batch = next;
      // The service answers again.
      if (isUnreachable) showProblem(null);
      const ended = hasEnded(batch);
      const percent = Math.floor(100 * shareOf(batch));
      element.dataset.state = batch.state;
      part(".batch-title").textContent = titleOf(batch);
      part(".batch-state").textContent = stateWords(batch);
      part(".batch-numbers").textContent = numbersOf(batch);
      progress.hidden = ended;
      progress.style.setProperty("--progress", `${percent}%`);
      progress.setAttribute("aria-valuenow", String(percent));
      announce(ended ? `${stateWords(batch)}, ${numbersOf(batch)}` : `${stateWords(batch)}, ${percent - (percent % 25)} percent`);
      renderActions();
      renderErrors();
    },
  };
}
