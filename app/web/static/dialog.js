/** Dialogs over the page. */

import { el, newId } from "./dom.js";

/**
 * Open a dialog with a title, a body and a foot. `mayClose()` says whether a person may close it now, `onclose()` is
 * called when it was closed, by whatever means. Returns {element, close()}.
 */
export function openDialog({ title, name, body, foot = [], mayClose = () => true, onclose = () => {} }) {
  const id = newId("dialog");
  const close = el("button", { type: "button", class: "dialog-close", "aria-label": "Close", onclick: () => mayClose() && element.close() }, "×");
  const element = el(
    "dialog",
    { class: `dialog ${name}`, "aria-labelledby": id },
    el("header", { class: "dialog-head" }, el("h2", { id }, title), close),
    el("div", { class: "dialog-body" }, ...body),
    foot.length ? el("footer", { class: "dialog-foot" }, ...foot) : null,
  );
  // Files that are dropped on a dialog are for nothing below it.
  for (const type of ["dragover", "drop"]) {
    element.addEventListener(type, (event) => {
      event.preventDefault();
      event.stopPropagation();
    });
  }
  element.addEventListener("cancel", (event) => {
    if (!mayClose()) event.preventDefault();
  });
  element.addEventListener("close", () => {
    element.remove();
    onclose();
  });
  document.body.append(element);
  element.showModal();
  return { element, close: () => element.close() };
}
