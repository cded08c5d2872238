/** The uploads that nothing uses: look at them, and delete them. */

import { listUnused, pictureUrl } from "./api.js";
import { attempt } from "./attempt.js";
import { el } from "./dom.js";
import { entryElement, entryList } from "./entry.js";
import { tileUrl } from "./jobs.js";
import { ago, counted, fileSize } from "./text.js";
import { onUploads, removeUpload } from "./uploads.js";

/** Milliseconds between a change and the list being fetched anew: uploads and jobs come several at a time. */
const PAUSE_MS = 500;

/** The section of the page. Returns {element, refresh()}. */
export function openUploadList() {
  const list = el("ul", { class: "entries uploads" });
  const total = el("p", { class: "help", role: "status" });
  const more = el("button", { type: "button", class: "button", onclick: showMore, hidden: true }, "Show more");
  const all = el("button", { type: "button", class: "link", onclick: () => ask(true), hidden: true }, "Delete all of them");
  const yes = el("button", { type: "button", class: "button danger", onclick: removeAll }, "Delete");
  const no = el("button", { type: "button", class: "link", onclick: () => ask(false) }, "Keep them");
  const question = el("div", { class: "question", role: "group", "aria-label": "Delete", hidden: true }, el("p", {}, "Delete every upload that no job and no set uses? Those in the form go too."), yes, no);
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  /** Why the list is not as it should be: it is fetched anew while another problem is shown. */
  const listing = el("p", { class: "problem", role: "alert", hidden: true });
  const heading = el("h2", { id: "uploads-title", tabindex: -1 }, "Unused uploads");
  const element = el(
    "section",
    { class: "shelf", "aria-labelledby": heading.id },
    heading,
    total,
    list,
    el("div", { class: "shelf-actions" }, more, all),
    question,
    problem,
    listing,
  );
  let shown = [];
  let cursor = null;
  let timer = null;
  /** Uploads that are to be shown at least. */
  let least = 1;
  /** Of the last request for the list: answers to earlier ones are ignored. */
  let run = 0;
  const showEntries = entryList(list, ({ id }) => id, entryOf);

  function entryOf({ id, name, width, height, frames, bytes, created_at: created }) {
    const title = name ?? "Without a name";
    const facts = [`${width} × ${height}`, frames > 1 ? counted(frames, "frame") : null, fileSize(bytes), created ? ago(created) : null];
    const entry = entryElement({
      name: title,
      facts: facts.filter(Boolean).join(", "),
      confirm: `Delete ${title}?`,
      async onremove() {
        await removeUpload(id);
        // The button that had the focus goes.
        heading.focus();
      },
    });
    // It can be dragged to a form. Clips have no small copy.
    const onerror = ({ target }) => target.remove();
    entry.prepend(el("img", { class: "entry-picture", src: tileUrl(pictureUrl(id)), alt: "", loading: "lazy", decoding: "async", onerror }));
    return entry;
  }

  function render() {
    const size = fileSize(shown.reduce((sum, { bytes }) => sum + bytes, 0));
    total.textContent = shown.length
      ? `${counted(shown.length, "upload")}${cursor ? " and more" : ""} that no job and no set uses, ${size}.`
      : "None: jobs or sets use all that was uploaded.";
    showEntries(shown);
    more.hidden = cursor === null;
    all.hidden = shown.length === 0;
  }

  function ask(on) {
    question.hidden = !on;
    all.hidden = on || shown.length === 0;
    if (on) yes.focus();
    else (all.hidden ? heading : all).focus();
  }

  /** Fetch pages until there are enough: after those that are shown, or `anew` in their place. */
  async function fetchPages(anew) {
    run += 1;
    const own = run;
    more.disabled = true;
    try {
      let items = anew ? [] : shown;
      let next = anew ? null : cursor;
      do {
        const page = await listUnused(next);
        if (own !== run) return;
        items = [...items, ...page.items];
        next = page.next_cursor;
      } while (next !== null && items.length < least);
      [shown, cursor] = [items, next];
      render();
    } catch (error) {
      if (own === run) throw error;
    } finally {
      if (own === run) more.disabled = false;
    }
  }

  function showMore() {
    least = shown.length + 1;
    return attempt(listing, () => fetchPages(false));
  }

  async function removeEach() {
    for (;;) {
      const { items } = await listUnused();
      if (items.length === 0) return;
      for (const { id } of items) await removeUpload(id);
    }
  }

  async function removeAll() {
    yes.disabled = no.disabled = true;
    try {
      await attempt(problem, removeEach);
      await attempt(listing, () => fetchPages(true));
    } finally {
      yes.disabled = no.disabled = false;
      ask(false);
    }
  }

  function refresh() {
    clearTimeout(timer);
    timer = setTimeout(() => attempt(listing, () => fetchPages(true)), PAUSE_MS);
  }

  onUploads(refresh);
  refresh();
  return { element, refresh };
}
