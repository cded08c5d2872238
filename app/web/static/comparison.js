/** The original laid over the result, up to a divider that mouse, finger and arrow keys move. */

import { showCopy } from "./jobs.js";

/** The comparison within an element. `onlost(url)` is called when the original cannot be shown. Returns {show(url), hide()}. */
export function makeComparison(media, onlost) {
  const original = media.querySelector(".original");
  const divider = media.querySelector(".divider");
  const line = media.querySelector(".divider-line");

  function move() {
    media.style.setProperty("--split", `${divider.value}%`);
  }

  function toggle(shown) {
    for (const part of [original, divider, line]) part.hidden = !shown;
  }

  divider.addEventListener("input", move);
  original.addEventListener("error", () => showCopy(original, ({ src }) => onlost(src)));
  return {
    show(url) {
      original.src = url;
      divider.value = 50;
      move();
      toggle(true);
      divider.focus({ preventScroll: true });
    },
    hide() {
      toggle(false);
      original.removeAttribute("src");
    },
  };
}
