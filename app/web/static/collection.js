/** The jobs there were, newest first, as a wall of pictures. */

import { listJobs, Problem, Unreachable } from "./api.js";
import { el } from "./dom.js";
import { isTerminal } from "./follow.js";
import { offeredKinds } from "./kinds.js";
import { faceOf, titleOfJob } from "./labels.js";
import { ago } from "./text.js";

const PAGE = 24;
/** Milliseconds between two looks at the list while some of its jobs are unfinished. */
const LOOK = 3000;
const MINUTE = 60_000;

const CAPTIONS = { queued: "waiting", failed: "failed", cancelled: "cancelled" };

function captionOf(job) {
  if (job.state === "running") {
    const { done, total } = job.progress ?? {};
    return total ? `${Math.floor((100 * done) / total)} %` : "at work";
  }
  return CAPTIONS[job.state] ?? ago(job.finished_at);
}

/** Fill the list with jobs of the kinds that are offered. Returns {update(job), select(id)}. */
export function openCollection() {
  const kinds = offeredKinds().map(({ kind }) => kind);
  const list = document.getElementById("collection");
  const more = document.getElementById("more");
  const empty = document.getElementById("collection-empty");
  /** By id: {job, item, link, image, caption}. */
  const pieces = new Map();
  let loaded = false;
  let cursor = null;
  let selected = null;

  function pieceOf(job) {
    const image = el("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    image.addEventListener("error", () => {
      image.hidden = true;
    });
    image.addEventListener("load", () => {
      image.hidden = false;
      // Rows are justified: a wide picture takes a larger share of its row.
      item.style.setProperty("--aspect", String(image.naturalWidth / image.naturalHeight));
    });
    const caption = el("span", { class: "caption" });
    const link = el("a", { href: `#job=${job.id}` }, image, caption);
    const item = el("li", { "data-created": job.created_at }, link);
    return { job: null, item, link, image, caption };
  }

  function render(piece, job) {
    if (piece.job && piece.job.seq > job.seq) return;
    piece.job = job;
    piece.item.dataset.state = job.state;
    const face = faceOf(job);
    if (face && piece.image.getAttribute("src") !== face) piece.image.src = face;
    piece.caption.textContent = captionOf(job);
    piece.image.alt = titleOfJob(job);
  }

  /** Show a job as it is now, in its place by age if it was not in the list. */
  function update(job) {
    let piece = pieces.get(job.id);
    if (!piece) {
      piece = pieceOf(job);
      const older = [...list.children].find((item) => item.dataset.created < job.created_at);
      list.insertBefore(piece.item, older ?? null);
      pieces.set(job.id, piece);
    }
    render(piece, job);
    empty.hidden = true;
    if (job.id === selected) piece.link.setAttribute("aria-current", "true");
  }

  function select(id) {
    pieces.get(selected)?.link.removeAttribute("aria-current");
    selected = id;
    pieces.get(id)?.link.setAttribute("aria-current", "true");
  }

  /** A page of jobs, or null when the service does not answer: the next look tries again. */
  async function page(from) {
    try {
      return await listJobs(PAGE, from, kinds);
    } catch (error) {
      if (error instanceof Unreachable || error instanceof Problem) return null;
      throw error;
    }
  }

  async function older() {
    more.disabled = true;
    const found = await page(cursor);
    more.disabled = false;
    if (!found) return;
    loaded = true;
    for (const job of found.items) update(job);
    cursor = found.next_cursor;
    more.hidden = cursor === null;
    empty.hidden = pieces.size > 0;
  }

  async function newest() {
    const found = await page(null);
    for (const job of found?.items ?? []) update(job);
  }

  async function watch() {
    const unfinished = [...pieces.values()].some((piece) => !isTerminal(piece.job));
    if (!loaded) await older();
    else if (unfinished && !document.hidden) await newest();
    setTimeout(watch, LOOK);
  }

  more.addEventListener("click", older);
  setInterval(() => {
    for (const { job, caption } of pieces.values()) caption.textContent = captionOf(job);
  }, MINUTE);
  watch();
  return { update, select };
}
