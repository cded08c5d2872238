/** Past jobs as pictures, newest first. */

import { listJobs, Problem, Unreachable } from "./api.js";
import { el, showText } from "./dom.js";
import { isTerminal } from "./follow.js";
import { thumbnailUrl, titleOfJob } from "./jobs.js";
import { listedKinds } from "./kinds.js";
import { ago } from "./text.js";

const PAGE_SIZE = 24;
/** Milliseconds between two requests for the list while some of its jobs are unfinished. */
const POLL_MS = 3000;
const MINUTE_MS = 60_000;

const CAPTIONS = { queued: "waiting", failed: "failed", cancelled: "cancelled" };

function captionOf(job) {
  if (job.state === "running") {
    const { done, total } = job.progress ?? {};
    return total ? `${Math.floor((100 * done) / total)} %` : "running";
  }
  return CAPTIONS[job.state] ?? ago(job.finished_at);
}

/** Fill the gallery with jobs of the listed kinds. Returns {update(job), select(id)}. */
export function openGallery() {
  const kinds = listedKinds().map(({ kind }) => kind);
  const list = document.getElementById("gallery-list");
  const more = document.getElementById("more");
  const empty = document.getElementById("gallery-empty");
  /** By job id: {job, item, link, image, title, caption}. */
  const entries = new Map();
  let loaded = false;
  let cursor = null;
  let selected = null;

  function makeEntry(job) {
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
    const title = el("span", { class: "gallery-title", "aria-hidden": "true" });
    const link = el("a", { href: `#job=${job.id}` }, image, title, caption);
    const item = el("li", { "data-created": job.created_at }, link);
    return { job: null, item, link, image, title, caption };
  }

  function render(entry, job) {
    if (entry.job && entry.job.seq > job.seq) return;
    entry.job = job;
    entry.item.dataset.state = job.state;
    const url = thumbnailUrl(job);
    if (url && entry.image.getAttribute("src") !== url) entry.image.src = url;
    entry.caption.textContent = captionOf(job);
    entry.image.alt = titleOfJob(job);
    showText(entry.title, url ? null : titleOfJob(job));
  }

  /** Show a job as it is now; a new one at its place by age. */
  function update(job) {
    let entry = entries.get(job.id);
    if (!entry) {
      entry = makeEntry(job);
      const older = [...list.children].find((item) => item.dataset.created < job.created_at);
      list.insertBefore(entry.item, older ?? null);
      entries.set(job.id, entry);
    }
    render(entry, job);
    empty.hidden = true;
    if (job.id === selected) entry.link.setAttribute("aria-current", "true");
  }

  function select(id) {
    entries.get(selected)?.link.removeAttribute("aria-current");
    selected = id;
    entries.get(id)?.link.setAttribute("aria-current", "true");
  }

  /** A page of jobs, or null when the service does not answer. */
  async function fetchPage(from) {
    try {
      return await listJobs(PAGE_SIZE, from, kinds);
    } catch (error) {
      if (error instanceof Unreachable || error instanceof Problem) return null;
      throw error;
    }
  }

  async function showOlder() {
    more.disabled = true;
    const page = await fetchPage(cursor);
    more.disabled = false;
    if (!page) return;
    loaded = true;
    for (const job of page.items) update(job);
    cursor = page.next_cursor;
    more.hidden = cursor === null;
    empty.hidden = entries.size > 0;
  }

  async function showNewest() {
    const page = await fetchPage(null);
    for (const job of page?.items ?? []) update(job);
  }

  async function poll() {
    const unfinished = [...entries.values()].some((entry) => !isTerminal(entry.job));
    if (!loaded) await showOlder();
    else if (unfinished && !document.hidden) await showNewest();
    setTimeout(poll, POLL_MS);
  }

  more.addEventListener("click", showOlder);
  setInterval(() => {
    for (const { job, caption } of entries.values()) caption.textContent = captionOf(job);
  }, MINUTE_MS);
  poll();
  return { update, select };
}
