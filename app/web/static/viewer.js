/** Shows one picture or video of a job, and thumbnails of the others. */

import { makeComparison } from "./comparison.js";
import { el, showText } from "./dom.js";
import { largeUrl, smallUrl } from "./jobs.js";

const isVideo = (view) => view.media_type?.startsWith("video/");
const isTiff = (view) => view.media_type === "image/tiff";
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * The viewer within the result's element. `onview(view)` is called when another view is chosen, `onlost(url)` when the
 * original that is compared cannot be shown.
 */
export function makeViewer(element, onview, onlost) {
  const part = (selector) => element.querySelector(selector);
  const media = part(".viewer-media");
  const image = part(".viewer-image");
  const video = part(".viewer-video");
  const views = part(".views");
  const comparison = makeComparison(media, onlost);
  /** URL of what is shown or being loaded. */
  let current = null;
  /** Whether it could not be loaded. */
  let isMissing = false;

  function reveal(shown, width, height) {
    media.style.setProperty("--aspect", String(width / height));
    image.hidden = shown !== image;
    video.hidden = shown !== video;
    part(".viewer-figure").hidden = false;
    showText(part(".viewer-message"), null);
  }

  /** Whether a URL is another one than that which is shown; `onmissing(url)` is called again for one that is missing. */
  function begin(url, onmissing) {
    if (url === current) {
      if (isMissing) onmissing(url);
      return false;
    }
    current = url;
    isMissing = false;
    return true;
  }

  function miss(url, onmissing) {
    if (current !== url) return;
    isMissing = true;
    onmissing(url);
  }

  /** Show a picture once it is decoded, so that previews follow each other without flicker. */
  async function showImage(url, onmissing) {
    if (!begin(url, onmissing)) return;
    const next = new Image();
    next.src = url;
    try {
      await next.decode();
    } catch {
      miss(url, onmissing);
      return;
    }
    if (current !== url) return;
    video.pause();
    image.src = url;
    reveal(image, next.naturalWidth, next.naturalHeight);
  }

  function showVideo(url, onmissing) {
    if (!begin(url, onmissing)) return;
    video.onloadedmetadata = () => current === url && reveal(video, video.videoWidth, video.videoHeight);
    video.onerror = () => miss(url, onmissing);
    video.autoplay = !reducedMotion.matches;
    video.src = url;
  }

  function hide() {
    part(".viewer-figure").hidden = true;
  }

  /** Load anew what is shown next, though it is the same. */
  function forget() {
    current = null;
    isMissing = false;
  }

  function clear() {
    forget();
    image.removeAttribute("src");
    video.onerror = null;
    video.removeAttribute("src");
    views.replaceChildren();
    views.hidden = true;
    hide();
  }

  /** List several views below the viewer, the shown one marked. */
  function list(all, shown, captionOf) {
    views.hidden = all.length < 2;
    if (views.hidden) return;
    views.replaceChildren(
      ...all.map((view) => {
        const thumbnail = isVideo(view)
          ? el("span", { class: "video-icon", "aria-hidden": "true" }, "▶")
          : el("img", { src: smallUrl(view.url), alt: "", loading: "lazy", decoding: "async" });
        const pressed = String(view.name === shown.name);
        const attributes = { type: "button", class: "view", "aria-pressed": pressed, onclick: () => onview(view) };
        return el("li", {}, el("button", attributes, thumbnail, el("span", {}, captionOf(view))));
      }),
    );
  }

  return {
    showImage,
    /** `onmissing(url)` is called if it cannot be loaded. */
    show(view, onmissing) {
      if (isVideo(view)) showVideo(view.url, onmissing);
      // Few browsers show a TIFF.
      else showImage(isTiff(view) ? largeUrl(view.url) : view.url, onmissing);
    },
    forget,
    isOf: (url) => url === current,
    hide,
    clear,
    list,
    isEmpty: () => !image.hasAttribute("src") && !video.hasAttribute("src"),
    setTitle(text) {
      image.alt = text;
      video.setAttribute("aria-label", text);
    },
    compare: (url) => (url ? comparison.show(url) : comparison.hide()),
  };
}
