/** Past jobs and batches as pictures, newest first. */

import { getJob, listJobs, Problem, Unreachable } from "./api.js";
import { getBatch, listBatches } from "./batch_api.js";
import { batchTile } from "./batch_tile.js";
import { jobTile } from "./job_tile.js";
import { listedKinds } from "./kinds.js";
import { mergedPages } from "./merged_pages.js";

const PAGE_SIZE = 24;
/** Milliseconds between two requests for the lists while something in them is unfinished. */
const POLL_MS = 3000;
const MINUTE_MS = 60_000;
/** Unfinished jobs and batches that are older than the newest, and asked for by themselves at a time. */
const OTHERS = 4;

/** What a list answers, or null when the service does not. */
async function attempt(request) {
  try {
    return await request;
  } catch (error) {
    if (error instanceof Unreachable || error instanceof Problem) return null;
    throw error;
  }
}

const isBatch = (item) => "counts" in item;

/**
 * Fill the gallery with batches, and with jobs of the listed kinds that belong to none. Returns {update(jobOrBatch),
 * remove(id), select(id)}.
 */
export function openGallery() {
  const kinds = listedKinds().map(({ kind }) => kind);
  const list = document.getElementById("gallery-list");
  const more = document.getElementById("more");
  const empty = document.getElementById("gallery-empty");
  const fetchJobs = (cursor) => attempt(listJobs(PAGE_SIZE, cursor, kinds));
  const fetchBatches = (cursor) => attempt(listBatches(PAGE_SIZE, cursor));
  const older = mergedPages([fetchJobs, fetchBatches]);
  /** Tiles by the id of their job or batch. */
  const tiles = new Map();
  /** Ids of what was deleted: lists that were asked for before may still have it. */
  const removed = new Set();
  let loaded = false;
  /** Of the unfinished that are older, that which is asked for next. */
  let turn = 0;
  let selected = null;

  /** Show a job or a batch as it is now; a new one at its place by age. */
  function update(item) {
    if (removed.has(item.id)) return;
    let tile = tiles.get(item.id);
    if (!tile) {
      tile = (isBatch(item) ? batchTile : jobTile)(item.created_at);
      const next = [...list.children].find(({ dataset }) => dataset.created < item.created_at);
      list.insertBefore(tile.item, next ?? null);
      tile.fetch = isBatch(item) ? getBatch : getJob;
      tiles.set(item.id, tile);
    }
    tile.render(item);
    empty.hidden = true;
    if (item.id === selected) tile.link.setAttribute("aria-current", "true");
  }

  function remove(id) {
    tiles.get(id)?.item.remove();
    tiles.delete(id);
    removed.add(id);
    empty.hidden = tiles.size > 0;
  }

  function select(id) {
    tiles.get(selected)?.link.removeAttribute("aria-current");
    selected = id;
    tiles.get(id)?.link.setAttribute("aria-current", "true");
  }

  async function showOlder() {
    more.disabled = true;
    const items = await older.next(PAGE_SIZE);
    more.disabled = false;
    if (!items) return;
    loaded = true;
    for (const item of items) update(item);
    more.hidden = !older.hasMore();
    empty.hidden = tiles.size > 0;
  }

  /** Bring the newest up to date; what is older than what is shown stays out of sight. */
  async function showNewest() {
    const oldest = list.lastElementChild?.dataset.created ?? "";
    const pages = await Promise.all([fetchJobs(null), fetchBatches(null)]);
    if (!pages.every(Boolean)) return;
    const items = pages.flatMap((page) => page.items);
    for (const item of items) {
      if (tiles.has(item.id) || item.created_at >= oldest || !older.hasMore()) update(item);
    }
    await showOthers(new Set(items.map(({ id }) => id)));
  }

  /** Bring some of the unfinished up to date that are not among the newest. */
  async function showOthers(newest) {
    const others = [...tiles].filter(([id, tile]) => tile.isUnfinished() && !newest.has(id));
    const some = others.slice(0, OTHERS).map((_, place) => others[(turn + place) % others.length]);
    turn += some.length;
    await Promise.all(some.map(showOther));
  }

  async function showOther([id, tile]) {
    try {
      update(await tile.fetch(id));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      if (error.status === 404) remove(id);
    }
  }

  async function poll() {
    const unfinished = [...tiles.values()].some((tile) => tile.isUnfinished());
    if (!loaded) await showOlder();
    else if (unfinished && !document.hidden) await showNewest();
    setTimeout(poll, POLL_MS);
  }

  more.addEventListener("click", showOlder);
  setInterval(() => {
    for (const tile of tiles.values()) tile.refresh();
  }, MINUTE_MS);
  poll();
  return { update, remove, select };
}
