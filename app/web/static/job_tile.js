/** A job in the gallery: its picture, and how far it is. */

import { el, showText } from "./dom.js";
import { isTerminal } from "./follow.js";
import { thumbnailUrl, titleOfJob } from "./jobs.js";
import { ago } from "./text.js";

const CAPTIONS = { queued: "waiting", failed: "failed", cancelled: "cancelled" };

function captionOf(job) {
  if (job.state === "running") {
    const { done, total } = job.progress ?? {};
    return total ? `${Math.floor((100 * done) / total)} %` : "running";
  }
  return CAPTIONS[job.state] ?? ago(job.finished_at);
}

/** A tile as gallery.js has them: {item, link, isUnfinished(), render(job), refresh()}; that adds `fetch(id)`. */
export function jobTile(created) {
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
  const link = el("a", {}, image, title, caption);
  const item = el("li", { "data-created": created }, link);
  let shown = null;

  return {
    item,
    link,
    isUnfinished: () => !isTerminal(shown),
    render(job) {
      if (shown && shown.seq > job.seq) return;
      shown = job;
      link.href = `#job=${job.id}`;
      item.dataset.state = job.state;
      const url = thumbnailUrl(job);
      if (url && image.getAttribute("src") !== url) image.src = url;
      caption.textContent = captionOf(job);
      image.alt = titleOfJob(job);
      showText(title, url ? null : titleOfJob(job));
    },
    refresh() {
      caption.textContent = captionOf(shown);
    },
  };
}
