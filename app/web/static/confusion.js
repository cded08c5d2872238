/** A confusion matrix as a table; a cell opens its pictures. */

import { pictureUrl } from "./api.js";
import { el } from "./dom.js";
import { tileUrl } from "./jobs.js";
import { counted } from "./text.js";

/** More classes than these have narrow cells with their names upright, and many more have no numbers. */
const FEW = 6;
const SOME = 24;

const shareOf = (count, row) => count / Math.max(1, row.reduce((sum, each) => sum + each, 0));

/** Small pictures with captions: [{image, name, caption}]. */
export function pictureTiles(pictures) {
  return el(
    "ul",
    { class: "picture-tiles" },
    ...pictures.map(({ image, name, caption }) => {
      const url = image && pictureUrl(image);
      const gone = (event) => event.target.replaceWith(el("span", { class: "tile-gone" }, name));
      const shown = url
        ? el("a", { href: url, target: "_blank", rel: "noopener", title: name }, el("img", { src: tileUrl(url), alt: name, loading: "lazy", decoding: "async", onerror: gone }))
        : el("span", { class: "tile-gone" }, name);
      return el("li", {}, shown, caption ? el("p", {}, ...caption) : null);
    }),
  );
}

/** The element of `result.confusion`. */
export function confusionElement({ labels, counts, pictures }) {
  const shown = el("div", { class: "cell-pictures", role: "status" });
  let pressed = null;

  function open(button, row, column) {
    pressed?.setAttribute("aria-pressed", "false");
    if (pressed === button) {
      pressed = null;
      shown.replaceChildren();
      return;
    }
    pressed = button;
    button.setAttribute("aria-pressed", "true");
    const some = pictures[`${row},${column}`] ?? [];
    const count = counts[row][column];
    const words = row === column ? `${labels[row]}, named right` : `${labels[row]}, taken for ${labels[column]}`;
    const few = some.length < count ? `, ${some.length} of them shown` : "";
    shown.replaceChildren(el("p", { class: "cell-title" }, el("b", {}, words), `: ${counted(count, "picture")}${few}`), pictureTiles(some));
  }

  function cell(row, column) {
    const count = counts[row][column];
    if (!count) return el("td", { class: row === column ? "right" : null });
    const is = row === column ? "named right" : `taken for ${labels[column]}`;
    const button = el("button", { type: "button", "aria-pressed": "false", "aria-label": `${labels[row]} ${is}: ${counted(count, "picture")}` });
    if (labels.length <= SOME) button.append(String(count));
    button.title = button.getAttribute("aria-label");
    button.addEventListener("click", () => open(button, row, column));
    const share = shareOf(count, counts[row]);
    const box = el("td", { class: row === column ? "right" : "wrong", "data-strong": share > 0.5 }, button);
    box.style.setProperty("--share", `${Math.round(12 + 88 * share)}%`);
    return box;
  }

  const size = labels.length <= FEW ? "few" : labels.length <= SOME ? "some" : "many";
  const head = el(
    "tr",
    {},
    el("th", { class: "corner", scope: "col" }, "is ↓ taken for →"),
    ...labels.map((label) => el("th", { scope: "col", title: label }, el("span", {}, label))),
  );
  const rows = labels.map((label, row) => el("tr", {}, el("th", { scope: "row", title: label }, el("span", {}, label)), ...labels.map((_, column) => cell(row, column))));
  return el(
    "div",
    { class: "confusion" },
    el(
      "div",
      { class: "matrix-scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
      el("table", { class: "matrix", "data-size": size }, el("thead", {}, head), el("tbody", {}, ...rows)),
    ),
    shown,
  );
}
