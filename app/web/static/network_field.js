/** The choice of a network, and the download of its weights if they are missing. */

import { cancelJob, listJobs, Problem, sendJob, Unreachable } from "./api.js";
import { attempt } from "./attempt.js";
import { el, showText } from "./dom.js";
import { selectField } from "./fields.js";
import { follow, isTerminal } from "./follow.js";
import { requestKeys } from "./keys.js";
import { kindOf } from "./kinds.js";
import { findNetwork, knownNetworks, onNetworks, refreshNetworks } from "./networks.js";
import { duration, megabytes } from "./text.js";

/** The kind of job that downloads weights. */
const KIND = "pull_weights";

/** Download jobs by network, and the functions that show them. */
const downloads = new Map();
const renderers = new Set();

function renderAll() {
  for (const render of renderers) render();
}

/** Show a download, and follow it to its end. */
function watch(job, network) {
  if (downloads.get(network.name)?.id === job.id) return;
  downloads.set(network.name, job);
  renderAll();
  follow(job.id, {
    async onjob(next) {
      downloads.set(network.name, next);
      renderAll();
      if (next.state === "succeeded") await refreshNetworks();
    },
    onconnection() {},
    onproblem() {
      downloads.delete(network.name);
      renderAll();
    },
  });
}

/** Find the downloads that were started before the page was loaded, or elsewhere. */
async function findRunning() {
  try {
    for (const job of (await listJobs(20, null, [KIND])).items) {
      const network = findNetwork(job.params.network);
      if (network && !isTerminal(job) && !downloads.has(network.name)) watch(job, network);
    }
  } catch (error) {
    // They go on without being shown; a new download uses what they have stored.
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

/** A title; for a network that was imported or trained with its name, since titles may be the same. */
function labelOf(network) {
  const { available, name, origin, title } = network;
  if (origin !== "shipped") return title === name ? name : `${name} (${title})`;
  return available ? title : `${title} (${size(network)})`;
}

const optionOf = (network) => el("option", { value: network.name }, labelOf(network));

/** A field (see fields.js) for a param that names a network. */
export function networkField(param) {
  const field = selectField(param, []);
  const select = field.element.querySelector("select");
  const text = el("p", { class: "help" });
  const bar = el("progress", { max: 1, "aria-label": "Download" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const start = el("button", { type: "button", class: "button", onclick: download }, "Download");
  const stop = el("button", { type: "button", class: "button", onclick: cancel }, "Cancel");
  const box = el("div", { class: "download" }, text, bar, problem, el("div", {}, start, stop));
  field.element.append(box);

  /** A second press before the answer asks for the same download. */
  const keys = requestKeys();
  const chosen = () => findNetwork(select.value);

  function download() {
    const network = chosen();
    field.showProblem(null);
    return attempt(problem, async () => {
      const params = { network: network.name };
      const job = await sendJob(kindOf(KIND).path, params, keys.of(params), true);
      keys.answered();
      watch(job, network);
    });
  }

  function cancel() {
    return attempt(problem, () => cancelJob(downloads.get(select.value).id));
  }

  /** The networks that there are; the chosen one may be newer than the page, or gone: then the service says so. */
  function renderOptions(value) {
    const empty = param.nullable ? [select.options[0]] : [];
    const isKnown = !value || findNetwork(value);
    select.replaceChildren(...empty, ...(isKnown ? [] : [el("option", { value }, value)]), ...knownNetworks().map(optionOf));
    select.value = value ?? "";
  }

  function render() {
    const network = chosen();
    box.hidden = !network || network.available;
    if (box.hidden) return;
    const job = downloads.get(network.name);
    const running = Boolean(job) && !isTerminal(job);
    text.textContent = running
      ? progressText(job)
      : `Its weights are not here yet: ${size(network)} to download, once. Source: ${network.source}`;
    bar.hidden = !running;
    if (running && job.progress) bar.value = job.progress.done / job.progress.total;
    else bar.removeAttribute("value");
    start.hidden = running;
    stop.hidden = !running;
    stop.disabled = Boolean(job?.cancel_requested);
    showText(problem, job?.state === "failed" ? job.error.detail : null);
  }

  select.addEventListener("change", render);
  renderers.add(render);
  onNetworks(() => {
    renderOptions(select.value);
    render();
  });
  renderOptions(null);
  render();
  if (knownNetworks().some(({ available }) => !available)) findRunning();
  return {
    ...field,
    unusable: () => (chosen()?.available === false ? "Download it first, or choose another network." : null),
    set(value) {
      renderOptions(value);
      field.set(value);
      render();
    },
  };
}
