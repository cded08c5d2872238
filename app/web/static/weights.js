/** The choice of a network, with the download of one whose weights are not here yet. */

import { cancelJob, listJobs, Problem, sendJob, Unreachable } from "./api.js";
import { el, say } from "./dom.js";
import { selectField } from "./fields.js";
import { follow, isTerminal } from "./follow.js";
import { duration, megabytes } from "./text.js";

const KIND = "pull_weights";
const PATH = "/v1/pull-weights";

/** Downloads of this visit by the name of their network, and who shows them. */
const pulls = new Map();
const onlookers = new Set();

function tell() {
  for (const look of onlookers) look();
}

/** Show a download, and follow it to its end. */
function watch(job, network) {
  pulls.set(network.name, job);
  tell();
  follow(job.id, {
    onjob(next) {
      pulls.set(network.name, next);
      network.available = next.state === "succeeded";
      tell();
    },
    onlink() {},
    onlost() {
      pulls.delete(network.name);
      tell();
    },
  });
}

/** Find the downloads that were begun before this visit, or elsewhere. */
async function findRunning(networks) {
  try {
    for (const job of (await listJobs(20, null, [KIND])).items) {
      const network = networks.find(({ name }) => name === job.params.network);
      if (network && !isTerminal(job) && !pulls.has(network.name)) watch(job, network);
    }
  } catch (error) {
    // They go on unseen; to download again finds what they have brought.
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
  }
}

function progressText({ progress, state, cancel_requested: stopping }) {
  if (stopping) return "Stopping";
  if (state === "queued" || !progress) return "Waiting for its turn";
  const { done, total, eta_seconds: eta } = progress;
  if (done === total) return "Converting";
  const left = eta === null ? "" : `, about ${duration(eta)} left`;
  return `${megabytes(done)} of ${megabytes(total)}${left}`;
}

const size = ({ download }) => megabytes(Number(download.bytes.toPrecision(2)));

const titleOf = (network) => (network.available ? network.title : `${network.title} (${size(network)})`);

/** A field for the param `network`, which also has `lacking()`. */
export function networkField(param, networks) {
  const field = selectField(param, networks.map((network) => ({ ...network, title: titleOf(network) })));
  const select = field.element.querySelector("select");
  const text = el("p", { class: "help" });
  const bar = el("progress", { max: 1, "aria-label": "Download" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const start = el("button", { type: "button", class: "quiet", onclick: download }, "Download");
  const stop = el("button", { type: "button", class: "quiet", onclick: cancel }, "Cancel");
  const box = el("div", { class: "weights" }, text, bar, problem, el("div", {}, start, stop));
  field.element.append(box);

  const chosen = () => networks.find(({ name }) => name === select.value);

  async function attempt(ask) {
    say(problem, null);
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      say(problem, error.message);
    }
  }

  function download() {
    const network = chosen();
    field.complain(null);
    return attempt(async () => {
      const key = `${KIND}-${network.name}-${Date.now()}`;
      watch(await sendJob(PATH, { network: network.name }, key, true), network);
    });
  }

  function cancel() {
    return attempt(() => cancelJob(pulls.get(select.value).id));
  }

  function render() {
    for (const option of select.options) {
      const network = networks.find(({ name }) => name === option.value);
      if (network) option.textContent = titleOf(network);
    }
    const network = chosen();
    box.hidden = !network || network.available;
    if (box.hidden) return;
    const pull = pulls.get(network.name);
    const running = Boolean(pull) && !isTerminal(pull);
    text.textContent = running
      ? progressText(pull)
      : `Its weights are not here yet: ${size(network)} to download, once. Source: ${network.source}`;
    bar.hidden = !running;
    if (running && pull.progress) bar.value = pull.progress.done / pull.progress.total;
    else bar.removeAttribute("value");
    start.hidden = running;
    stop.hidden = !running;
    stop.disabled = Boolean(pull?.cancel_requested);
    say(problem, pull?.state === "failed" ? pull.error.detail : null);
  }

  select.addEventListener("change", render);
  onlookers.add(render);
  render();
  if (networks.some(({ available }) => !available)) findRunning(networks);
  return {
    ...field,
    /** Why the choice cannot be used yet, or null. */
    lacking: () => (chosen()?.available === false ? "Download it first, or choose another network." : null),
    set(value) {
      field.set(value);
      render();
    },
  };
}
