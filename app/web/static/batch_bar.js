/** The bar above one job of a batch: the way back, and to the jobs beside it. */

import { addressOf, captionOf, tableOf, titleOf } from "./batches.js";
import { moved } from "./matrix.js";

/** Whether keys belong to what has the focus. */
const takesKeys = (node) => node instanceof Element && node.closest("input, select, textarea, dialog, video, [role=grid]") !== null;

/** `onmove(line)` is called to show the job of a line. Returns {render(batch, line), hide()}; `line` null: not known yet. */
export function makeBatchBar({ onmove }) {
  const element = document.getElementById("batch-bar");
  const part = (selector) => element.querySelector(selector);
  const buttons = [...element.querySelectorAll("[data-key]")];
  let batch = null;
  let line = null;

  /** The line that a key leads to. Without rows that mean something, only to the one before and after. */
  const neighbor = (key) => moved(line, key, tableOf(batch)?.columns.length ?? batch.lines, batch.lines);

  const go = (key) => line !== null && neighbor(key) !== line && onmove(neighbor(key));

  for (const button of buttons) button.addEventListener("click", () => go(button.dataset.key));
  addEventListener("keydown", (event) => {
    if (element.hidden || !batch || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target)) return;
    const button = buttons.find(({ dataset }) => dataset.key === event.key);
    if (event.key === "Escape") location.hash = addressOf(batch.id);
    else if (button && !button.hidden) go(event.key);
    else return;
    event.preventDefault();
  });

  return {
    hide() {
      element.hidden = true;
    },
    render(next, at) {
      batch = next;
      line = at;
      element.hidden = false;
      part(".batch-back").href = addressOf(batch.id);
      part(".batch-back span").textContent = titleOf(batch);
      part(".batch-place").textContent = line ? `${line.toLocaleString("en")} of ${batch.lines.toLocaleString("en")}` : "";
      part(".batch-place").title = line && batch.matrix ? captionOf(batch, line, null) : "";
      for (const button of buttons) {
        button.hidden = !tableOf(batch) && ["ArrowUp", "ArrowDown"].includes(button.dataset.key);
        button.disabled = line === null || neighbor(button.dataset.key) === line;
      }
    },
  };
}
