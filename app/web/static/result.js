/** One job: its progress, its result, its title and details, and what can be done with it. */

import { cancelJob, pictureUrl } from "./api.js";
import { attempt } from "./attempt.js";
import { el, showText } from "./dom.js";
import { askFate, DAMAGED, DELETED, HERE, UNKNOWN } from "./fate.js";
import { fileItems } from "./files.js";
import { isTerminal } from "./follow.js";
import { fetchNames } from "./image_names.js";
import { artifactUrl, captionOf, detailsOf, draftUrl, tileUrl, timesOf, titleOfJob, titleParts, viewsOf } from "./jobs.js";
import { continuedParam, kindOf, picturesOf, setsOf } from "./kinds.js";
import { makeLooks } from "./looks.js";
import { makeOverlay } from "./overlay.js";
import { rankingElements } from "./rankings.js";
import { urlOf } from "./root.js";
import { fetchSets } from "./sets.js";
import { tablesOf } from "./tables.js";
import { duration } from "./text.js";
import { isTraining, makeTraining } from "./training.js";
import { REPORTED } from "./training_report.js";
import { CLASSIFY } from "./uses.js";
import { makeViewer } from "./viewer.js";

const STATES = {
  queued: "Waiting for its turn",
  running: "Running",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** What a job that goes on does. A running one is paused at its next step. */
function stateOf({ state, paused, cancel_requested: stopping, finish_requested: finishing }) {
  if (stopping) return "Stopping";
  if (paused) return state === "running" ? "Pausing" : "Paused";
  return finishing ? "Finishing" : STATES[state];
}

/** The artifact that shows how the picture came into being. */
const TIMELAPSE = "timelapse";

/** Why a picture or video is not shown. */
const MISSING = {
  [HERE]: "This browser cannot show it: download it.",
  [DAMAGED]: "The file is damaged.",
  [DELETED]: "This picture was deleted.",
  [UNKNOWN]: "The service does not give this picture now.",
};
const ORIGINAL_MISSING = {
  [HERE]: "This browser cannot show the original.",
  [DAMAGED]: "The original is damaged.",
  [DELETED]: "The original was deleted.",
  [UNKNOWN]: "The service does not give the original now: try again.",
};

/** Parts of a result that its rankings show. */
const RANKED = ["top", "pictures", "table"];

const element = document.getElementById("result");
const part = (selector) => element.querySelector(selector);
const action = (name) => part(`[data-action="${name}"]`);

/**
 * The result's part of the page. `onreuse(job)` is called for "Use these settings", `oncontinue(job)` for "Continue",
 * `onuse(kind, params)` opens a form, and `pictureUses()` says what a picture may be used for (see form.js).
 */
export function openResult({ onreuse, oncontinue, onuse, pictureUses }) {
  const bar = part(".progress-bar");
  const viewer = makeViewer(element, (view) => choose(view), onOriginalMissing);
  const overlay = makeOverlay(element);
  const looks = makeLooks(part(".looks"));
  const training = makeTraining(element, {
    onuse,
    onclass: (chosenClass) => looks.show(chosenClass, kindOf(CLASSIFY)?.class_looks ?? []),
    onjob: showAnswer,
  });
  let job = null;
  /** Name of the chosen view; null: the first. */
  let chosen = null;
  let announced = "";
  /** URL of a picture that was loaded again since it is there though it was missing. */
  let repeated = null;

  /** The picture cannot be loaded. Until the job ends the next preview may, so the last one stays. */
  async function onMissing(url) {
    if (!isTerminal(job)) {
      if (viewer.isEmpty()) viewer.hide();
      return;
    }
    viewer.hide();
    const { fate } = await askFate(url);
    if (!viewer.isOf(url)) return;
    if (fate === HERE && url !== repeated) {
      repeated = url;
      loadAgain();
      return;
    }
    const again = el("button", { type: "button", class: "link", onclick: loadAgain }, "Try again");
    showText(part(".viewer-message"), MISSING[fate]);
    if (fate === UNKNOWN) part(".viewer-message").append(" ", again);
  }

  function loadAgain() {
    showText(part(".viewer-message"), null);
    viewer.forget();
    renderView();
  }

  async function onOriginalMissing(url) {
    const own = job;
    compare(false);
    const { fate } = await askFate(url);
    if (job?.id === own?.id) showText(part(".job-problem"), ORIGINAL_MISSING[fate]);
  }

  /** Show no job; `keepTitle`: the page is about something else now. */
  function clear(keepTitle = false) {
    if (!keepTitle) document.title = "Impasto";
    job = null;
    chosen = repeated = null;
    announced = "";
    element.dataset.state = "empty";
    part(".placeholder").textContent = "The result appears here.";
    delete element.dataset.rankings;
    element.removeAttribute("data-plain");
    compare(false);
    overlay.hide();
    looks.clear();
    training.clear();
    viewer.clear();
    for (const name of [".progress", ".job-info", ".viewer-message", ".rankings", ".numbers"]) part(name).hidden = true;
  }

  function compare(on) {
    action("compare").setAttribute("aria-pressed", String(on));
    viewer.compare(on ? pictureUrl(picturesOf(job)[0].reference) : null);
  }

  function announce(text) {
    if (text !== announced) part("#announcer").textContent = text;
    announced = text;
  }

  const currentView = () => viewsOf(job).find((view) => view.name === chosen) ?? viewsOf(job)[0] ?? null;

  function choose(view) {
    chosen = view.name;
    compare(false);
    renderView();
    renderInfo();
    part(`.view[aria-pressed="true"]`)?.focus();
  }

  /** Show the chosen view, or a draft as long as there is none. */
  function renderView() {
    const view = currentView();
    overlay.show(job, view);
    if (isTraining(job)) return;
    if (view) {
      viewer.show(view, onMissing);
      viewer.list(viewsOf(job), view, (each) => captionOf(job, each));
    } else if (draftUrl(job)) {
      viewer.showImage(draftUrl(job), onMissing);
    } else if (isTerminal(job)) {
      const text = job.state === "succeeded" ? "The result is in the numbers below." : STATES[job.state];
      showText(part(".viewer-message"), text);
    }
  }

  function renderProgress() {
    const progress = part(".progress");
    progress.hidden = isTerminal(job);
    if (progress.hidden) return;
    const { done = 0, total = 0, eta_seconds: eta = null } = job.progress ?? {};
    const percent = total ? Math.floor((100 * done) / total) : 0;
    bar.style.setProperty("--progress", `${percent}%`);
    bar.setAttribute("aria-valuenow", String(percent));
    const state = stateOf(job);
    part(".progress-state").textContent = state;
    part(".progress-numbers").textContent = [
      total ? `${done} of ${total} steps` : null,
      eta !== null && !job.cancel_requested ? `about ${duration(eta)} left` : null,
    ].filter(Boolean).join(", ");
    action("cancel").disabled = job.cancel_requested;
    document.title = total ? `${percent} % · Impasto` : `${state} · Impasto`;
    announce(total ? `${state}, ${percent - (percent % 25)} percent` : state);
  }

  /** A link to a file; hidden if there is none. */
  function renderLink(name, url, filename = null) {
    const link = action(name);
    link.hidden = !url;
    if (url) link.href = url;
    if (filename) link.download = filename;
  }

  function renderSources() {
    const images = picturesOf(job).map(({ param, reference }) =>
      el("img", {
        src: tileUrl(pictureUrl(reference)),
        alt: param.title,
        decoding: "async",
        onerror: ({ target }) => target.remove(),
      }),
    );
    part(".sources").replaceChildren(...images);
  }

  function renderInfo() {
    const { subject, rest } = titleParts(job);
    part(".job-title").replaceChildren(el("cite", {}, subject), ...(rest ? [rest] : []));
    part(".job-details").textContent = [detailsOf(job), timesOf(job)].filter(Boolean).join("; ");
    const reason = job.error ? [job.error.title, job.error.detail].filter(Boolean).join(": ") : null;
    showText(part(".job-problem"), reason);

    const view = currentView();
    const filename = titleOfJob(job).replace(/[\\/:*?"<>|]/g, " ");
    const extension = view?.media_type.split("/")[1];
    renderLink("download", view?.url, `${filename}.${extension}`);
    renderLink("recipe", artifactUrl(job, "recipe"), `${filename}.json`);
    renderLink("open", view?.url);
    renderLink("json", urlOf(`/v1/jobs/${encodeURIComponent(job.id)}`));
    // A single picture made from another shows the same place, and can be laid over it. A timelapse of it does not count.
    const pictures = viewsOf(job).filter(({ name }) => name !== TIMELAPSE);
    action("compare").hidden = pictures.length !== 1 || view?.name === TIMELAPSE || picturesOf(job).length === 0;
    renderUses();
    action("reuse").hidden = !kindOf(job.kind)?.listed;
    action("continue").hidden = job.state !== "succeeded" || !continuedParam(job.kind);
    const files = fileItems(job, filename);
    part(".files").replaceChildren(...files);
    part(".files").hidden = files.length === 0;
    part(".job-info").hidden = false;
  }

  /** Buttons that put the shown picture into a form. */
  function renderUses() {
    const view = job && isTerminal(job) ? currentView() : null;
    const uses = view?.media_type.startsWith("image/") ? pictureUses() : [];
    const put = ({ kind, param }) => onuse(kind, { [param]: `${job.id}/${view.name}` });
    part(".picture-uses").hidden = uses.length === 0;
    part(".picture-uses").replaceChildren(
      ...uses.map((use) => el("button", { type: "button", class: "button", onclick: () => put(use) }, use.title)),
    );
  }

  function renderRankings() {
    const kinds = kindOf(job.kind)?.class_looks ?? [];
    const shown = isTerminal(job) ? rankingElements(job, (chosenClass) => looks.show(chosenClass, kinds)) : [];
    part(".rankings").hidden = shown.length === 0;
    part(".rankings-help").hidden = kinds.length === 0;
    part(".rankings-list").replaceChildren(...shown);
    // Without a picture of its own, the job's answer is in its rankings.
    const isAnswer = shown.length > 0 && viewsOf(job).length === 0;
    element.dataset.rankings = !isAnswer ? "below" : shown.length > 1 ? "alone" : "beside";
    element.toggleAttribute("data-plain", isTerminal(job) && !viewsOf(job).length && !picturesOf(job).length);
  }

  function renderNumbers() {
    const numbers = part(".numbers");
    const isRanked = !part(".rankings").hidden;
    const without = isTraining(job) ? REPORTED : isRanked ? RANKED : [];
    const tables = isTerminal(job) ? tablesOf(job.result, without) : [];
    numbers.hidden = tables.length === 0;
    part(".tables").replaceChildren(...tables);
    // Without a picture the numbers are the result.
    if (!numbers.hidden && !isRanked && !isTraining(job) && viewsOf(job).length === 0) numbers.open = true;
  }

  /** Show a job as it is now. */
  function show(next) {
    const isNew = job?.id !== next.id;
    if (isNew) clear();
    job = next;
    element.dataset.state = job.state;
    viewer.setTitle(titleOfJob(job));
    renderView();
    renderProgress();
    renderInfo();
    renderRankings();
    renderNumbers();
    if (isTraining(job)) training.show(job);
    if (isNew) {
      renderSources();
      const references = picturesOf(job).map(({ reference }) => reference);
      Promise.all([fetchNames(references), fetchSets(setsOf(job))]).then(() => job?.id === next.id && renderInfo());
    }
    if (isTerminal(job)) {
      document.title = `${STATES[job.state]} · Impasto`;
      announce(STATES[job.state]);
    }
  }

  /** Show what the service answered to a button, unless another job, or a newer state of this one, is shown by then. */
  function showAnswer(next) {
    if (job?.id === next.id && next.seq >= job.seq) show(next);
  }

  function cancel() {
    const { id } = job;
    return attempt(part(".job-problem"), async () => showAnswer(await cancelJob(id)), () => job?.id === id);
  }

  /** A job comes; until then what is shown stays. */
  function open() {
    if (!job) part(".placeholder").textContent = "Opening…";
  }

  /** Show why a job cannot be shown, such as that it does not exist. */
  function showProblem(problem) {
    clear();
    element.dataset.state = "unknown";
    showText(part(".viewer-message"), problem.message);
  }

  action("compare").addEventListener("click", () =>
    compare(action("compare").getAttribute("aria-pressed") === "false"),
  );
  action("reuse").addEventListener("click", () => onreuse(job));
  action("continue").addEventListener("click", () => oncontinue(job));
  action("cancel").addEventListener("click", cancel);
  return { open, show, showProblem, clear, renderUses };
}
