/** What hangs on the wall: a picture or a film, and a strip of the others that a job made. */

import { comparable } from "./compare.js";
import { el, say } from "./dom.js";
import { small } from "./labels.js";

const isFilm = (view) => view.media_type?.startsWith("video/");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** The canvas within the stage. `onview(view)` is called when another of the views is chosen. */
export function openCanvas(stage, onview) {
  const part = (selector) => stage.querySelector(selector);
  const canvas = part(".canvas");
  const painting = part(".painting");
  const film = part(".film");
  const prints = part(".prints");
  const comparison = comparable(canvas);
  /** URL of what is shown or on its way. */
  let wanted = null;

  function reveal(shown, width, height) {
    canvas.style.setProperty("--aspect", String(width / height));
    painting.hidden = shown !== painting;
    film.hidden = shown !== film;
    part(".hanging").hidden = false;
    say(part(".absence"), null);
  }

  /** Show a picture once it is decoded, so that previews follow each other without a blink. */
  async function hang(url, onlost) {
    if (url === wanted) return;
    wanted = url;
    const next = new Image();
    next.src = url;
    try {
      await next.decode();
    } catch {
      if (wanted === url) onlost();
      return;
    }
    if (wanted !== url) return;
    film.pause();
    painting.src = url;
    reveal(painting, next.naturalWidth, next.naturalHeight);
  }

  function play(url, onlost) {
    if (url === wanted) return;
    wanted = url;
    film.onloadedmetadata = () => wanted === url && reveal(film, film.videoWidth, film.videoHeight);
    film.onerror = () => wanted === url && onlost();
    film.autoplay = !calm.matches;
    film.src = url;
  }

  /** Take down what hangs. */
  function hide() {
    part(".hanging").hidden = true;
  }

  function clear() {
    wanted = null;
    painting.removeAttribute("src");
    film.onerror = null;
    film.removeAttribute("src");
    prints.replaceChildren();
    prints.hidden = true;
    hide();
  }

  /** Offer several views below the canvas, the one that hangs marked; `captionOf(view)` says what it is of. */
  function offer(views, chosen, captionOf) {
    prints.hidden = views.length < 2;
    if (prints.hidden) return;
    prints.replaceChildren(
      ...views.map((view) => {
        const face = isFilm(view)
          ? el("span", { class: "reel", "aria-hidden": "true" }, "▶")
          : el("img", { src: small(view.url), alt: "", loading: "lazy", decoding: "async" });
        const pressed = String(view.name === chosen.name);
        const attributes = { type: "button", class: "print", "aria-pressed": pressed, onclick: () => onview(view) };
        return el("li", {}, el("button", attributes, face, el("span", {}, captionOf(view))));
      }),
    );
  }

  return {
    hang,
    play,
    hide,
    clear,
    offer,
    show: (view, onlost) => (isFilm(view) ? play(view.url, onlost) : hang(view.url, onlost)),
    isEmpty: () => !painting.hasAttribute("src") && !film.hasAttribute("src"),
    name(text) {
      painting.alt = text;
      film.setAttribute("aria-label", text);
    },
    compare: (url) => (url ? comparison.show(url) : comparison.hide()),
  };
}
