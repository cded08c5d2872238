/** A field for many pictures, each for jobs of its own: files and folders, uploaded one after the other. */

import { pictureUrl, Unreachable } from "./api.js";
import { el, newId, notifyInput, showText } from "./dom.js";
import { problemSetter } from "./fields.js";
import { filesOfEntries, isZip, withPaths } from "./folders.js";
import { mayBePicture } from "./dragged.js";
import { nameOf, setName } from "./image_names.js";
import { tileUrl } from "./jobs.js";
import { counted, joined, titleOfFile } from "./text.js";
import { forgetUpload, isClip, onUploads, reasonOf, refuseUpload, uploadInTurn } from "./uploads.js";

/** Small pictures that are shown. */
const SHOWN = 200;
/** Names of files that are listed. */
const NAMED = 3;
/** Files of folders that are pictures; what a person chooses one by one is tried whatever its name. */
const PICTURE = /\.(avif|bmp|gif|hei[cf]|jpe?g|jfif|png|tiff?|webp)$/i;

/** "a.txt", "a.txt and 12 more". */
const some = (names) => joined(names.length > NAMED + 1 ? [...names.slice(0, NAMED), `${names.length - NAMED} more`] : names);

/** Why files are not used: a line for each reason, "a.jpg and b.jpg: The file is empty." */
function reasonsOf(refused) {
  const names = new Map();
  for (const [name, reason] of refused) names.set(reason, [...(names.get(reason) ?? []), name]);
  return [...names].map(([reason, each]) => `${some(each)}: ${reason}`).join("\n");
}

const makeItem = (known) => ({ file: null, reference: null, folder: null, url: null, tile: null, sending: null, isUnsent: false, ...known });

/**
 * A field in the place of that for one picture: {param, element, add, ...}. `get()` returns references, undefined for
 * none, or throws a RangeError.
 */
export function pileField(param) {
  const noun = param.title.toLowerCase();
  const problem = el("p", { class: "problem", id: newId("problem"), role: "alert", hidden: true });
  const note = el("p", { class: "help", role: "status", hidden: true });
  const files = el("input", { type: "file", id: newId(param.name), class: "visually-hidden", accept: "image/*", multiple: true, "aria-describedby": problem.id });
  const folder = el("input", { type: "file", id: newId(param.name), class: "visually-hidden", webkitdirectory: true, "aria-describedby": problem.id });
  const total = el("span", { class: "help", role: "status" });
  const removeAll = el("button", { type: "button", class: "link", onclick: () => clear() }, "Remove all");
  const tiles = el("ul", { class: "tiles" });
  const more = el("p", { class: "help", hidden: true });
  const bar = el("progress", { max: 1, "aria-label": `Uploading: ${param.title}`, hidden: true });
  const again = el("button", { type: "button", class: "link", onclick: () => resend() }, "Try again");
  const unsent = el("p", { class: "problem", role: "alert", hidden: true }, el("span"), " ", again);
  const prompt = el("span", { class: "prompt" }, "Drop pictures or folders");
  const choices = el(
    "span",
    { class: "pile-choices" },
    el("span", { class: "set-choice" }, files, el("label", { class: "link", for: files.id }, "Choose pictures")),
    el("span", { class: "set-choice" }, folder, el("label", { class: "link", for: folder.id }, "a folder")),
  );
  const title = newId(`${param.name}-title`);
  const element = el(
    "div",
    { class: "picture-field pile", role: "group", "aria-labelledby": title, "data-field": param.name, "data-many": true },
    el("div", { class: "picture-heading" }, el("p", { class: "picture-title", id: title }, param.title), total, removeAll),
    el("div", { class: "picture-body" }, tiles, bar, el("div", { class: "drop-zone" }, prompt, choices)),
    more,
    unsent,
    problem,
    note,
  );
  const showProblem = problemSetter(problem, files, folder);
  /** {file, reference, name, folder, url, tile, sending, isUnsent}: `reference` null until it is uploaded, `folder` null for loose ones. */
  let items = [];
  let done = Promise.resolve();
  /** Drops whose folders are being read. */
  let reading = 0;

  const pending = () => items.filter(({ sending }) => sending);

  function forget(item) {
    item.sending?.abort();
    if (item.url?.startsWith("blob:")) URL.revokeObjectURL(item.url);
  }

  function tileOf(item) {
    if (item.tile) return item.tile;
    // A picture that was uploaded is shown small: many large ones would fill the memory.
    item.url = item.reference ? tileUrl(pictureUrl(item.reference)) : URL.createObjectURL(item.file);
    const image = el("img", { src: item.url, alt: item.name, loading: "lazy", decoding: "async", onerror: () => image.replaceWith(el("p", { class: "tile-text" }, item.name)) });
    const button = el("button", { type: "button", class: "remove", "aria-label": `Remove ${item.name}`, onclick: () => remove(item) }, "×");
    item.tile = el("li", { class: "tile", title: item.name, "data-sending": item.sending !== null }, image, button);
    return item.tile;
  }

  function render() {
    tiles.replaceChildren(...items.slice(0, SHOWN).map(tileOf));
    tiles.hidden = items.length === 0;
    element.dataset.count = String(items.length);
    showText(more, items.length > SHOWN ? `and ${counted(items.length - SHOWN, "picture")} more` : null);
    removeAll.hidden = items.length === 0;
    renderProgress();
  }

  function renderProgress() {
    const left = pending().length;
    const failed = items.filter(({ isUnsent }) => isUnsent).length;
    total.textContent = items.length ? (left ? `${items.length - left} of ${items.length} sent` : counted(items.length, "picture")) : "";
    bar.hidden = left === 0;
    bar.value = items.length ? 1 - left / items.length : 0;
    unsent.hidden = failed === 0;
    unsent.firstElementChild.textContent = `${counted(failed, "picture")} not sent: the service does not answer.`;
  }

  /** Send an item. Returns why it was refused, or null. */
  async function send(item) {
    const sending = new AbortController();
    Object.assign(item, { sending, isUnsent: false });
    try {
      const image = await uploadInTurn(item.file, sending.signal);
      if (items.some(({ reference }) => reference === image.id)) return "twice";
      if (param.control !== "clip" && isClip(image)) {
        await refuseUpload(image);
        return `It moves: use a still picture, such as one of its ${image.frames} frames.`;
      }
      item.reference = image.id;
      return null;
    } catch (error) {
      if (sending.signal.aborted) return null;
      if (error instanceof Unreachable) item.isUnsent = true;
      else return reasonOf(error);
      return null;
    } finally {
      item.sending = null;
      // Its small copy is shown from now on.
      if (item.reference && item.tile) {
        forget(item);
        const old = item.tile;
        item.tile = null;
        old.replaceWith(tileOf(item));
      }
      renderProgress();
    }
  }

  async function sendAll(added) {
    const refused = await Promise.all(added.map(async (item) => ({ item, reason: await send(item) })));
    const twice = refused.filter(({ reason }) => reason === "twice");
    const wrong = refused.filter(({ reason }) => reason && reason !== "twice");
    drop([...twice, ...wrong].map(({ item }) => item));
    if (wrong.length) showProblem(reasonsOf(wrong.map(({ item, reason }) => [item.file.name, reason])));
    if (twice.length) showText(note, `${some(twice.map(({ item }) => item.file.name))} ${twice.length === 1 ? "is here twice: it is" : "are here twice: they are"} used once.`);
    notifyInput(element);
  }

  function drop(dropped) {
    if (dropped.length === 0) return;
    const gone = new Set(dropped);
    for (const item of dropped) forget(item);
    items = items.filter((item) => !gone.has(item));
    render();
  }

  function clearNotes() {
    showProblem(null);
    showText(note, null);
  }

  function remove(item) {
    const next = item.tile.nextElementSibling ?? item.tile.previousElementSibling;
    drop([item]);
    clearNotes();
    (next?.querySelector("button") ?? files).focus();
    notifyInput(element);
  }

  function clear() {
    drop(items);
    clearNotes();
    files.focus();
    notifyInput(element);
  }

  function resend() {
    const failed = items.filter(({ isUnsent }) => isUnsent);
    done = Promise.all([done, sendAll(failed)]);
    renderProgress();
  }

  /** Add files with their paths: [{name, file}]. */
  function addFound(found) {
    clearNotes();
    const inFolder = ({ name }) => name.includes("/");
    const isPicture = (each) => (inFolder(each) ? PICTURE.test(each.name) : !each.file.type || each.file.type.startsWith("image/"));
    const wrong = found.filter((each) => !isPicture(each));
    const pictures = found.filter(isPicture).sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    const loud = wrong.filter((each) => !inFolder(each));
    if (loud.some(({ file }) => isZip(file))) showProblem("Unpack the ZIP first, then drop its folder here.");
    else if (loud.length) showProblem(`${some(loud.map(({ file }) => file.name))} ${loud.length === 1 ? "is not a picture" : "are not pictures"}.`);
    else if (!pictures.length) showProblem("There are no pictures in this folder.");
    else if (wrong.length) showText(note, `${counted(wrong.length, "other file")} left out.`);
    if (!pictures.length) return;
    const folderOf = (each) => (inFolder(each) ? titleOfFile(each.name.split("/").at(-2)) : null);
    const added = pictures.map((each) => makeItem({ file: each.file, name: titleOfFile(each.file.name), folder: folderOf(each) }));
    items = [...items, ...added];
    done = Promise.all([done, sendAll(added)]);
    render();
    notifyInput(element);
  }

  /** Add files, or all that is in the `entries` of a drop: a folder takes a while to read. */
  async function read(chosen, entries) {
    reading += 1;
    try {
      addFound(entries.some(({ isDirectory }) => isDirectory) ? await filesOfEntries(entries) : withPaths(chosen));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      showProblem("This folder cannot be read. Has it moved?");
    } finally {
      reading -= 1;
    }
  }

  function add(chosen, entries = []) {
    const found = read(chosen, entries);
    done = Promise.all([done, found]);
  }

  onUploads((id, isHere) => {
    const gone = isHere ? [] : items.filter(({ reference }) => reference === id);
    if (gone.length === 0) return;
    drop(gone);
    notifyInput(element);
  });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      const chosen = [...input.files];
      input.value = "";
      if (chosen.length) add(chosen);
    });
  }
  for (const type of ["dragenter", "dragover"]) {
    element.addEventListener(type, ({ dataTransfer }) => mayBePicture(dataTransfer) && element.classList.add("drag-over"));
  }
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("drag-over");
  });
  element.addEventListener("drop", () => element.classList.remove("drag-over"));
  render();

  const api = {
    param,
    element,
    add,
    isEmpty: () => items.length === 0,
    count: () => items.length,
    isSending: () => reading > 0 || pending().length > 0,
    async settled() {
      let before;
      do {
        before = done;
        await before;
      } while (before !== done);
    },
    get() {
      if (items.some(({ isUnsent }) => isUnsent)) throw new RangeError("Not all of these pictures are sent yet: try again.");
      const references = items.map(({ reference }) => reference).filter(Boolean);
      return references.length ? references : undefined;
    },
    /** What is kept over a reload: [[reference, name, folder]]. */
    kept: () => items.filter(({ reference }) => reference).map(({ reference, folder }) => [reference, nameOf(reference), folder]),
    /** Show pictures that the service has, as kept() gave them. */
    restore(kept) {
      drop(items);
      items = kept.map(([reference, filename, folder = null]) => {
        if (filename) setName({ id: reference, name: filename });
        return makeItem({ reference, name: filename ? titleOfFile(filename) : param.title, folder });
      });
      render();
    },
    /** Add a picture that the service has. */
    addReference(reference) {
      clearNotes();
      if (items.some((item) => item.reference === reference)) return;
      items = [...items, makeItem({ reference, name: titleOfFile(nameOf(reference) ?? param.title) })];
      render();
      notifyInput(element);
    },
    /** Show pictures that the service has. */
    restoreReferences: (references) => api.restore(references.map((reference) => [reference, nameOf(reference)])),
    /** What to call them: the folder that the first came in, the only one's name, or their number. */
    title: () => items[0]?.folder ?? (items.length === 1 ? items[0].name : counted(items.length, noun)),
    setPreset() {},
    showProblem(text) {
      showProblem(text);
      // The service may have deleted a picture: choosing it again must send it again.
      if (text) for (const { reference } of items) if (reference) forgetUpload(reference);
    },
    focus: () => files.focus(),
  };
  return api;
}
