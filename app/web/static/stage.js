/** The wall with the one picture that is being painted, or was: progress, result, label and actions. */

import { cancelJob, pictureUrl, Problem, Unreachable } from "./api.js";
import { comparable } from "./compare.js";
import { el, say } from "./dom.js";
import { isTerminal } from "./follow.js";
import {
  artifactUrl,
  dating,
  faceOf,
  medium,
  resultUrl,
  sourcesOf,
  titleOfJob,
  titleParts,
} from "./labels.js";
import { learnNames } from "./names.js";
import { duration } from "./text.js";

const STATES = {
  queued: "Waiting for its turn",
  running: "Painting",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

const stage = document.getElementById("stage");
const part = (selector) => stage.querySelector(selector);
const action = (name) => part(`[data-action="${name}"]`);

/** The stage. `kindTitle(kind)` names a kind, `onreuse(job)` is called for "Use these settings". */
export function openStage({ kindTitle, onreuse }) {
  const painting = part(".painting");
  const canvas = part(".canvas");
  const comparison = comparable(canvas);
  const stroke = part(".stroke");
  let job = null;
  /** URL of the face that is shown or on its way. */
  let wanted = null;
  let announced = "";

  /** Show a picture once it is decoded, so that previews follow each other without a blink. */
  async function hang(url) {
    if (url === wanted) return;
    wanted = url;
    const next = new Image();
    next.src = url;
    try {
      await next.decode();
    } catch {
      if (wanted === url) mourn();
      return;
    }
    if (wanted !== url) return;
    canvas.style.setProperty("--aspect", String(next.naturalWidth / next.naturalHeight));
    painting.src = url;
    part(".hanging").hidden = false;
    say(part(".absence"), null);
  }

  /** The picture cannot be shown. A preview may just have been replaced by the next, so what hangs stays. */
  function mourn() {
    if (job && !isTerminal(job) && painting.hasAttribute("src")) return;
    part(".hanging").hidden = true;
    say(part(".absence"), "This picture is gone.");
  }

  function clear() {
    job = null;
    wanted = null;
    announced = "";
    stage.dataset.state = "empty";
    document.title = "Impasto";
    painting.removeAttribute("src");
    compare(false);
    for (const name of [".hanging", ".progress", ".label", ".absence"]) part(name).hidden = true;
  }

  function compare(on) {
    action("compare").setAttribute("aria-pressed", String(on));
    if (on) comparison.show(pictureUrl(job.params.content));
    else comparison.hide();
  }

  function announce(text) {
    if (text !== announced) part("#announcer").textContent = text;
    announced = text;
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
    const images = sourcesOf(job).map((reference) =>
      el("img", {
        src: pictureUrl(reference),
        alt: reference === job.params.content ? "The content" : "A style",
        decoding: "async",
        onerror: (event) => event.target.remove(),
      }),
    );
    part(".sources").replaceChildren(...images);
  }

  function renderLabel() {
    const { subject, after } = titleParts(job, kindTitle(job.kind));
    part(".label-title").replaceChildren(el("cite", {}, subject), ...(after ? [`, after ${after}`] : []));
    part(".label-medium").textContent = [medium(job), dating(job)].filter(Boolean).join("; ");
    const reason = job.error ? [job.error.title, job.error.detail].filter(Boolean).join(": ") : null;
    say(part(".label-problem"), reason);

    const result = resultUrl(job);
    const filename = titleOfJob(job, kindTitle(job.kind)).replace(/[\\/:*?"<>|]/g, " ");
    offer("download", result, `${filename}.png`);
    offer("recipe", artifactUrl(job, "recipe"), `${filename}.json`);
    offer("open", result);
    action("compare").hidden = !result || !job.params.content;
    part(".label").hidden = false;
  }

  /** Show a job as it is now. */
  function show(next) {
    const isNew = job?.id !== next.id;
    if (isNew) clear();
    job = next;
    stage.dataset.state = job.state;
    painting.alt = titleOfJob(job, kindTitle(job.kind));
    const face = faceOf(job);
    if (face) hang(face);
    renderProgress();
    renderLabel();
    if (isNew) {
      renderSources();
      learnNames(sourcesOf(job)).then(() => job?.id === next.id && renderLabel());
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
