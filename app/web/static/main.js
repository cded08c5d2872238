/** Starts the page: the form, the result, the gallery, and the job that the address names. */

import { getKinds, getNetworks, Problem, Unreachable } from "./api.js";
import { openBatchView } from "./batch_view.js";
import { addressOf } from "./batches.js";
import { showText } from "./dom.js";
import { follow } from "./follow.js";
import { openForm } from "./form.js";
import { openGallery } from "./gallery.js";
import { setKinds } from "./kinds.js";
import { openLibrary } from "./library.js";
import { openLinesDialog } from "./lines_dialog.js";
import { setNetworks } from "./networks.js";
import { openResult } from "./result.js";

/** Milliseconds until a start that failed is tried again, by whether the service answered at all. */
const RETRY_MS = 1000;
const RETRY_WRONG_MS = 5000;

// Whatever is said from now on, the page says itself.
document.getElementById("unstarted").remove();

const connection = document.getElementById("connection");

function showConnection(connected) {
  showText(connection, connected ? null : "The service does not answer. Reconnecting…");
}

/** The service's answer, tried again until it is one: also an error may be over soon, or be that of a proxy. */
async function retried(request) {
  for (;;) {
    try {
      const answer = await request();
      showConnection(true);
      return answer;
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Problem)) throw error;
      if (error instanceof Unreachable) showConnection(false);
      else showText(connection, `The page cannot start: ${error.message} Trying again…`);
      await new Promise((resolve) => setTimeout(resolve, error instanceof Unreachable ? RETRY_MS : RETRY_WRONG_MS));
    }
  }
}

const [kinds, networks] = await retried(() => Promise.all([getKinds(), getNetworks()]));
setKinds(kinds);
setNetworks(networks);

/** The id of a batch or job in the address, or null. */
const addressed = (what) => new URLSearchParams(location.hash.slice(1)).get(what);

const gallery = openGallery();
const result = openResult({
  onreuse: (job) => form.reuse(job),
  oncontinue: (job) => form.goOn(job),
  onuse: (kind, params) => form.open(kind, params),
  pictureUses: () => form.pictureUses(),
});
const library = openLibrary();
const batchView = openBatchView({
  onchange: (batch) => gallery.update(batch),
  ondelete(id) {
    gallery.remove(id);
    if (addressed("batch") === id) location.hash = "";
  },
  onconnection: showConnection,
});

function openBatch(batch) {
  gallery.update(batch);
  location.hash = addressOf(batch.id);
}

const form = openForm({
  onjob(job) {
    gallery.update(job);
    library.refreshUploads();
    location.hash = `job=${job.id}`;
  },
  onbatch: openBatch,
  onlines: (file) => openLinesDialog(file, openBatch),
  onkind: () => result.renderUses(),
});
const linesInput = document.getElementById("lines-file");
linesInput.disabled = false;
linesInput.addEventListener("change", () => {
  const [file] = linesInput.files;
  linesInput.value = "";
  if (file) openLinesDialog(file, openBatch);
});

let unfollow = () => {};

/** Scroll to what is shown where it is out of sight: on a phone it is below the form. */
function scrollToStage() {
  const element = document.getElementById("stage");
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) element.scrollIntoView();
}

/** Show the batch or the job that the address names, and follow it. */
function openAddress() {
  unfollow();
  unfollow = () => {};
  showConnection(true);
  const [batchId, jobId] = [addressed("batch"), addressed("job")];
  gallery.select(batchId ?? jobId);
  batchView.show(batchId, jobId);
  document.getElementById("result").hidden = batchId !== null && jobId === null;
  if (batchId || jobId) scrollToStage();
  if (!jobId) {
    result.clear(batchId !== null);
    return;
  }
  result.open();
  unfollow = follow(jobId, {
    onjob(job) {
      result.show(job);
      if (!job.batch_id) gallery.update(job);
      else if (batchId) batchView.place(job);
      else location.replace(addressOf(job.batch_id, job.id));
    },
    onconnection: showConnection,
    onproblem: result.showProblem,
  });
}

addEventListener("hashchange", openAddress);
openAddress();
