/** A map laid over the picture that it is of, as strongly as a slider says. */

/** The name of the artifact that maps of a job are of, if it has such. */
const BASE = "view";

/** Names of pictures that have it in them already. */
const FIGURE = /^image$|_overlay$/;

/** The overlay within the result's element. Returns {show(job, view), hide()}. */
export function makeOverlay(element) {
  const part = (selector) => element.querySelector(selector);
  const base = part(".overlay-base");
  const control = part(".overlay-control");
  const slider = part(".overlay-slider");
  const media = part(".viewer-media");
  const image = part(".viewer-image");
  let shown = null;

  function move() {
    media.style.setProperty("--map-opacity", String(slider.value / 100));
  }

  /** Maps have the size of the picture below; other pictures of the job, such as its figure, have not. */
  function fit() {
    const same = base.naturalWidth === image.naturalWidth && base.naturalHeight === image.naturalHeight;
    const on = shown !== null && base.complete && image.complete && base.naturalWidth > 0 && same;
    base.hidden = !on;
    control.hidden = !on;
    media.toggleAttribute("data-overlay", on);
  }

  function hide() {
    shown = null;
    fit();
    base.removeAttribute("src");
  }

  slider.addEventListener("input", move);
  base.addEventListener("load", fit);
  image.addEventListener("load", fit);
  move();
  return {
    hide,
    /** Lay a view of a job over the picture that it is a map of; nothing if it is none. */
    show(job, view) {
      const under = job.artifacts.find(({ name }) => name === BASE);
      if (!under || !view || view.name === BASE || FIGURE.test(view.name) || !view.media_type.startsWith("image/")) {
        hide();
        return;
      }
      shown = view.name;
      if (base.getAttribute("src") !== under.url) base.src = under.url;
      fit();
    },
  };
}
