/** The wall with what one job makes, or made: progress, result, label and actions. */

import { cancelJob, pictureUrl, Problem, Unreachable } from "./api.js";
import { openCanvas } from "./canvas.js";
import { el, say } from "./dom.js";
import { isTerminal } from "./follow.js";
import { kindOf, picturesOf } from "./kinds.js";
import { artifactUrl, captionOf, dating, draftOf, medium, titleOfJob, titleParts, viewsOf } from "./labels.js";
import { learnNames } from "./names.js";
import { tablesOf } from "./numbers.js";
import { duration } from "./text.js";

const STATES = {
  queued: "Waiting for its turn",
  running: "At work",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

const stage = document.getElementById("stage");
const part = (selector) => stage.querySelector(selector);
const action = (name) => part(`[data-action="${name}"]`);

/** The stage. `onreuse(job)` is called for "Use these settings". */
export function openStage({ onreuse }) {
  const stroke = part(".stroke");
  const canvas = openCanvas(stage, (view) => choose(view));
  let job = null;
  /** Name of the view that was chosen, null for the first. */
  let chosen = null;
  let announced = "";

  /** It cannot be shown. A preview may just have been replaced by the next, so what hangs stays. */
  function mourn() {
    if (job && !isTerminal(job)) {
      if (canvas.isEmpty()) canvas.hide();
      return;
    }
    canvas.hide();
    say(part(".absence"), "This picture is gone.");
  }

  function clear() {
    job = null;
    chosen = null;
    announced = "";
    stage.dataset.state = "empty";
    document.title = "Impasto";
    compare(false);
    canvas.clear();
    for (const name of [".progress", ".label", ".absence", ".numbers"]) part(name).hidden = true;
  }

  function compare(on) {
    action("compare").setAttribute("aria-pressed", String(on));
    canvas.compare(on ? pictureUrl(picturesOf(job)[0].reference) : null);
  }

  function announce(text) {
    if (text !== announced) part("#announcer").textContent = text;
    announced = text;
  }

  const viewNow = () => viewsOf(job).find((view) => view.name === chosen) ?? viewsOf(job)[0] ?? null;

  function choose(view) {
    chosen = view.name;
    compare(false);
    renderView();
    renderLabel();
    part(`.print[aria-pressed="true"]`)?.focus();
  }

  /** Hang the chosen view, or as long as there is none what shows best how far the job is. */
  function renderView() {
    const view = viewNow();
    if (view) {
      canvas.show(view, mourn);
      canvas.offer(viewsOf(job), view, (each) => captionOf(job, each));
    } else if (draftOf(job)) {
      canvas.hang(draftOf(job), mourn);
    } else if (isTerminal(job)) {
      say(part(".absence"), job.state === "succeeded" ? "The result is in the numbers below." : STATES[job.state]);
    }
  }

  function renderProgress() {
    const progress = part(".progress");
    progress.hidden = isTerminal(job);
    if (progress.hidden) return;
    const { done = 0, total = 0, eta_seconds: eta = null } = job.progress ?? {};
    const percent = total ? Math.floor((100 * done) / total) : 0;
    stroke.style.setProperty("--laid", `${percent}%`);
    stroke.setAttribute("aria-valuenow", String(percent));
    const state = job.cancel_requested ? "Stopping" : STATES[job.state];
    part(".progress-state").textContent = state;
    part(".progress-numbers").textContent = [
      total ? `${done} of ${total} steps` : null,
      eta !== null && !job.cancel_requested ? `about ${duration(eta)} left` : null,
    ].filter(Boolean).join(", ");
    action("cancel").disabled = job.cancel_requested;
    document.title = total ? `${percent} % · Impasto` : `${state} · Impasto`;
    announce(total ? `${state}, ${percent - (percent % 25)} percent` : state);
  }

  /** A link to a file, if there is one. */
  function offer(name, url, filename = null) {
    const link = action(name);
    link.hidden = !url;
    if (url) link.href = url;
    if (filename) link.download = filename;
  }

  function renderSources() {
    const images = picturesOf(job).map(({ param, reference }) =>
      el("img", {
        src: pictureUrl(reference),
        alt: param.title,
        decoding: "async",
        onerror: (event) => event.target.remove(),
      }),
    );
    part(".sources").replaceChildren(...images);
  }

  function renderLabel() {
    const { subject, rest } = titleParts(job);
    part(".label-title").replaceChildren(el("cite", {}, subject), ...(rest ? [rest] : []));
    part(".label-medium").textContent = [medium(job), dating(job)].filter(Boolean).join("; ");
    const reason = job.error ? [job.error.title, job.error.detail].filter(Boolean).join(": ") : null;
    say(part(".label-problem"), reason);

    const view = viewNow();
    const filename = titleOfJob(job).replace(/[\\/:*?"<>|]/g, " ");
    const ending = view?.media_type.split("/")[1];
    offer("download", view?.url, `${filename}.${ending}`);
    offer("recipe", artifactUrl(job, "recipe"), `${filename}.json`);
    offer("open", view?.url);
    offer("json", `/v1/jobs/${encodeURIComponent(job.id)}`);
    // A single picture made from another shows the same place, and can be laid over it.
    action("compare").hidden = viewsOf(job).length !== 1 || picturesOf(job).length === 0;
    action("reuse").hidden = !kindOf(job.kind)?.offered;
    part(".label").hidden = false;
  }

  function renderNumbers() {
    const numbers = part(".numbers");
    const tables = isTerminal(job) ? tablesOf(job.result) : [];
    numbers.hidden = tables.length === 0;
    part(".tables").replaceChildren(...tables);
    // Where there is nothing to look at the numbers are the result.
    if (!numbers.hidden && viewsOf(job).length === 0) numbers.open = true;
  }

  /** Show a job as it is now. */
  function show(next) {
    const isNew = job?.id !== next.id;
    if (isNew) clear();
    job = next;
    stage.dataset.state = job.state;
    canvas.name(titleOfJob(job));
    renderView();
    renderProgress();
    renderLabel();
    renderNumbers();
    if (isNew) {
      renderSources();
      const references = picturesOf(job).map(({ reference }) => reference);
      learnNames(references).then(() => job?.id === next.id && renderLabel());
    }
    if (isTerminal(job)) {
      document.title = `${STATES[job.state]} · Impasto`;
      announce(STATES[job.state]);
    }
  }

  /** Show that there is no such job, or that it cannot be shown. */
  function lose(problem) {
    clear();
    stage.dataset.state = "lost";
    say(part(".absence"), problem.message);
  }

  action("compare").addEventListener("click", () =>
    compare(action("compare").getAttribute("aria-pressed") === "false"),
  );
  action("reuse").addEventListener("click", () => onreuse(job));
  action("cancel").addEventListener("click", async () => {
    try {
      show(await cancelJob(job.id));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      say(part(".label-problem"), error.message);
    }
  });
  return { show, lose, clear };
}
