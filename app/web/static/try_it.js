/** Try a network: a dropped picture, or one of the camera, and what the network takes it for. */

import { pictureUrl, Problem, sendJob, Unreachable } from "./api.js";
import { openCamera } from "./camera.js";
import { el, newId, showText } from "./dom.js";
import { waitForJob } from "./follow.js";
import { tileUrl } from "./jobs.js";
import { randomKey } from "./keys.js";
import { kindOf } from "./kinds.js";
import { rankingElements } from "./rankings.js";
import { upload } from "./uploads.js";
import { CLASSIFY } from "./uses.js";

/** Tries that stay in sight. */
const KEPT = 6;

const isPicture = (file) => !file.type || file.type.startsWith("image/");

/** Returns {element, show(network, onclass), clear()}. `onclass` is called for a class of a try (see rankings.js). */
export function makeTryIt() {
  const input = el("input", { type: "file", class: "visually-hidden", id: newId("try"), accept: "image/*", multiple: true });
  const drop = el("label", { class: "try-drop", for: input.id }, el("span", { class: "prompt" }, "Drop a picture, or choose one"));
  const camera = el("button", { type: "button", class: "button", onclick: toggleCamera }, "Use the camera");
  const video = el("video", { playsinline: true, muted: true, "aria-label": "The camera" });
  const shoot = el("button", { type: "button", class: "primary", onclick: takePicture }, "Take a picture");
  const finder = el("div", { class: "finder", hidden: true }, video, shoot);
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const tries = el("ol", { class: "tries", "aria-live": "polite" });
  const element = el("section", { class: "try-it", "aria-label": "Try it" }, el("h3", {}, "Try it"), input, drop, finder, camera, problem, tries);
  let network = null;
  let onclass = null;
  let opened = null;
  /** Closes the camera, also one that is being opened; null: there is none. */
  let closing = null;
  /** Stops what is on its way when another network is shown. */
  let current = new AbortController();

  function closeCamera() {
    closing?.abort();
    closing = opened = null;
    finder.hidden = true;
    camera.textContent = "Use the camera";
  }

  async function toggleCamera() {
    showText(problem, null);
    if (!finder.hidden) {
      closeCamera();
      return;
    }
    closing = new AbortController();
    const { signal } = closing;
    finder.hidden = false;
    shoot.disabled = true;
    camera.textContent = "Close the camera";
    try {
      opened = await openCamera(video, signal);
      shoot.disabled = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RangeError)) throw error;
      closeCamera();
      showText(problem, error.message);
    }
  }

  async function takePicture() {
    if (opened) attempt(await opened.take());
  }

  async function classify(file, signal) {
    const image = await upload(file, () => {}, signal);
    const sent = await sendJob(kindOf(CLASSIFY).path, { image: image.id, network }, randomKey(), true);
    const job = await waitForJob(sent.id, signal, () => {});
    if (job.state !== "succeeded") throw new RangeError(job.error?.detail ?? "This was cancelled.");
    return job;
  }

  async function attempt(file) {
    showText(problem, null);
    if (!isPicture(file)) {
      showText(problem, `${file.name} is not a picture.`);
      return;
    }
    const { signal } = current;
    const url = URL.createObjectURL(file);
    const onerror = ({ target }) => {
      URL.revokeObjectURL(url);
      target.remove();
    };
    const image = el("img", { src: url, alt: file.name, onload: () => URL.revokeObjectURL(url), onerror });
    const answer = el("div", { class: "try-answer" }, el("p", { class: "help" }, "Looking…"));
    const item = el("li", { class: "try" }, image, answer);
    tries.prepend(item);
    while (tries.childElementCount > KEPT) tries.lastElementChild.remove();
    try {
      const job = await classify(file, signal);
      answer.replaceChildren(...rankingElements(job, onclass));
      if (!image.isConnected) item.prepend(el("img", { src: tileUrl(pictureUrl(job.params.image)), alt: file.name }));
    } catch (error) {
      item.remove();
      if (signal.aborted) return;
      const known = error instanceof Problem || error instanceof Unreachable || error instanceof RangeError || error instanceof DOMException;
      if (!known) throw error;
      showText(problem, `${file.name}: ${error instanceof DOMException ? "It cannot be read. Is it a folder?" : error.message}`);
    }
  }

  function clear() {
    current.abort();
    current = new AbortController();
    network = null;
    closeCamera();
    showText(problem, null);
    tries.replaceChildren();
    element.hidden = true;
  }

  input.addEventListener("change", () => {
    for (const file of input.files) attempt(file);
    input.value = "";
  });
  for (const type of ["dragenter", "dragover"]) element.addEventListener(type, () => element.classList.add("drag-over"));
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("drag-over");
  });
  element.addEventListener("drop", (event) => {
    element.classList.remove("drag-over");
    if (!event.dataTransfer.files.length) return;
    // It is not a picture for the form.
    event.preventDefault();
    event.stopPropagation();
    for (const file of event.dataTransfer.files) attempt(file);
  });

  return {
    element,
    clear,
    show(name, onchosen) {
      onclass = onchosen;
      if (name !== network) clear();
      network = name;
      element.hidden = false;
    },
  };
}
