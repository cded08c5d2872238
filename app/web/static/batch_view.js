/** One batch with its entries as they are made, or one of its jobs in the place of them. */

import { pictureUrl } from "./api.js";
import { makeBatchBar } from "./batch_bar.js";
import { openEntries } from "./batch_entries.js";
import { makeBatchHead } from "./batch_head.js";
import { addressOf, captionOf, entryWords, hasEnded, pictureOf, shareOf, sourceOf, stateWords, tableOf } from "./batches.js";
import { el, showText } from "./dom.js";
import { smallUrl, tileUrl } from "./jobs.js";
import { makeMatrix } from "./matrix.js";

/** Show the picture of a cell, or none. */
function drawPicture(cell, url, { isDraft, isSource }) {
  let image = cell.querySelector("img");
  if (!url) {
    image?.remove();
    return;
  }
  if (!image) {
    image = el("img", { alt: "", decoding: "async", loading: "lazy", draggable: "false", onerror: (event) => event.target.remove() });
    cell.prepend(image);
  }
  if (image.getAttribute("src") !== url) image.src = url;
  image.toggleAttribute("data-draft", isDraft);
  image.toggleAttribute("data-source", isSource);
}

/**
 * The batch's part of the page. `onchange(batch)` is called when it changed, `ondelete(id)` when it was deleted,
 * `onconnection(connected)` when the service stops or starts answering. Returns {show(id, jobId), place(job)}.
 */
export function openBatchView({ onchange, ondelete, onconnection }) {
  const element = document.getElementById("batch");
  const part = (selector) => element.querySelector(selector);
  const matrix = makeMatrix({ label: "What the batch makes", draw, onopen: open, onpoint, onview: (lines) => entries?.want(lines) });
  const head = makeBatchHead(element, { onbatch: (next) => next.id === id && entries.update(next), ondelete });
  const bar = makeBatchBar({ onmove });
  part(".batch-body").append(matrix.element, el("p", { class: "batch-caption", "aria-hidden": "true" }));
  let id = null;
  let batch = null;
  let entries = null;
  /** The job that is shown in the place of the entries, and its line once it is known. */
  let jobId = null;
  let line = null;
  /** The line that the pointer or the focus is on. */
  let pointed = null;

  /** Fill a cell. Returns its name. */
  function draw(cell, at) {
    const entry = entries.get(at);
    const state = entry?.state ?? "waiting";
    const picture = pictureOf(entry);
    // Without headers one sees what it will be made from.
    const source = picture || tableOf(batch) ? null : sourceOf(batch, at);
    const url = picture ? smallUrl(picture.url) : source && tileUrl(pictureUrl(source));
    const { done = 0, total = 0 } = entry?.progress ?? {};
    cell.dataset.state = state;
    cell.style.setProperty("--share", state === "running" && total ? String(done / total) : "0");
    drawPicture(cell, url, { isDraft: picture?.isDraft ?? false, isSource: source !== null });
    return `${captionOf(batch, at, entry)}: ${entryWords(entry)}`;
  }

  function renderCaption() {
    const caption = part(".batch-caption");
    const entry = pointed && entries?.get(pointed);
    caption.toggleAttribute("data-failed", entry?.state === "failed");
    caption.textContent = pointed && batch ? `${captionOf(batch, pointed, entry)}: ${entryWords(entry)}` : "";
  }

  function onpoint(at) {
    pointed = at;
    renderCaption();
  }

  function open(at) {
    onpoint(at);
    const job = entries.get(at)?.job_id;
    if (job) location.hash = addressOf(id, job);
  }

  async function onmove(at) {
    const [shown, from] = [entries, jobId];
    const entry = await shown.fetch(at);
    // One that is no job yet has nothing to show, and something else may be shown by now.
    if (entry?.job_id && shown === entries && from === jobId) location.replace(addressOf(id, entry.job_id));
  }

  function renderPlace() {
    element.hidden = id === null || jobId !== null;
    if (jobId && batch) bar.render(batch, line);
    else bar.hide();
  }

  function renderTitle() {
    if (jobId || !batch) return;
    const percent = Math.floor(100 * shareOf(batch));
    document.title = `${hasEnded(batch) ? stateWords(batch) : `${percent} %`} · Impasto`;
  }

  /** The job in view has a stream of events of its own. */
  function settle() {
    if (jobId && batch) entries.rest();
    else entries.watch();
  }

  function onbatch(next) {
    const isNew = batch === null;
    batch = next;
    onchange(batch);
    head.render(batch);
    showText(part(".batch-message"), null);
    part(".batch-body").hidden = false;
    renderPlace();
    if (isNew) matrix.layOut(batch.lines, tableOf(batch));
    renderTitle();
    settle();
  }

  function onentries() {
    if (!batch) return;
    matrix.redraw();
    renderCaption();
    if (!jobId || line) return;
    line = entries.lineOf(jobId);
    renderPlace();
  }

  function onproblem(problem) {
    part(".batch-body").hidden = true;
    showText(part(".batch-message"), problem.message);
  }

  function begin(next) {
    entries?.close();
    id = next;
    batch = entries = line = pointed = null;
    head.clear();
    part(".batch-body").hidden = true;
    showText(part(".batch-message"), id && "Opening…");
    if (id) entries = openEntries(id, { onbatch, onentries, onconnection, onproblem });
  }

  /** Show a batch, or one of its jobs. Null: none. */
  function show(nextId, nextJob) {
    const before = jobId;
    if (nextId !== id) begin(nextId);
    if (nextJob !== jobId) line = (nextJob && entries?.lineOf(nextJob)) ?? null;
    jobId = nextJob;
    renderPlace();
    if (!entries) return;
    settle();
    renderTitle();
    if (!jobId && before && batch) matrix.focus(entries.lineOf(before) ?? 1);
  }

  return {
    show,
    /** The job that is shown, as it came: it knows its line. */
    place(job) {
      if (job.id !== jobId || !job.batch_line || job.batch_line === line) return;
      line = job.batch_line;
      renderPlace();
    },
  };
}
