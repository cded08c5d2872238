/** A batch in the gallery: some of its pictures as a mosaic, and how far it is. */

import { addressOf, countedEntries, endedOf, hasEnded, shareOf, stateWords, titleOf } from "./batches.js";
import { el, showText } from "./dom.js";
import { smallUrl } from "./jobs.js";
import { ago } from "./text.js";

function captionOf(batch) {
  const { counts, lines, paused, cancel_requested: stopping } = batch;
  const made = `${counts.succeeded.toLocaleString("en")} of ${countedEntries(batch, lines)}`;
  if (!hasEnded(batch)) return paused || stopping || endedOf(batch) === 0 ? `${stateWords(batch).toLowerCase()}, ${made}` : made;
  const all = counts.succeeded === lines ? countedEntries(batch, lines) : made;
  return [all, counts.failed ? `${counts.failed.toLocaleString("en")} failed` : null, ago(batch.finished_at)].filter(Boolean).join(", ");
}

/** A tile as gallery.js has them: {item, link, isNewer(batch), render(batch), refresh()}. */
export function batchTile(created) {
  const mosaic = el("span", { class: "mosaic" });
  const title = el("span", { class: "gallery-title", "aria-hidden": "true" });
  const bar = el("span", { class: "tile-progress", "aria-hidden": "true" });
  const name = el("span", { class: "tile-name" });
  const caption = el("span", { class: "caption" });
  const link = el("a", { class: "batch-tile" }, el("span", { class: "mosaic-frame" }, mosaic, title, bar), name, caption);
  const item = el("li", { "data-created": created }, link);
  let shown = null;

  function renderMosaic({ samples }) {
    const urls = samples.map(({ url }) => smallUrl(url));
    if (mosaic.dataset.urls === urls.join()) return;
    mosaic.dataset.urls = urls.join();
    mosaic.dataset.count = String(urls.length);
    mosaic.replaceChildren(...urls.map((src) => el("img", { src, alt: "", loading: "lazy", decoding: "async", draggable: "false" })));
  }

  return {
    item,
    link,
    isUnfinished: () => !hasEnded(shown),
    render(batch) {
      shown = batch;
      link.href = addressOf(batch.id);
      item.dataset.state = batch.state;
      renderMosaic(batch);
      showText(title, batch.samples.length ? null : stateWords(batch));
      bar.hidden = hasEnded(batch);
      bar.style.setProperty("--share", String(shareOf(batch)));
      name.textContent = titleOf(batch);
      caption.textContent = captionOf(batch);
    },
    refresh: () => {
      caption.textContent = captionOf(shown);
    },
  };
}
