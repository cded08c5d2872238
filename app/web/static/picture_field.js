/** A field for pictures: dropped, picked or pasted, shown at once and uploaded in the background. */

import { pictureUrl, Unreachable } from "./api.js";
import { el, newId, notifyInput } from "./dom.js";
import { mayBePicture } from "./dragged.js";
import { askFate, DELETED, UNKNOWN } from "./fate.js";
import { notes, problemSetter } from "./fields.js";
import { fetchNames, nameOf } from "./image_names.js";
import { smallUrl } from "./jobs.js";
import { megabytes, titleOfFile } from "./text.js";
import { forgetUpload, isClip, onUploads, reasonOf, refuseUpload, upload } from "./uploads.js";

/** Files that browsers on some systems do not take for pictures. */
const ENDINGS = ".heic,.heif,.avif,.tif,.tiff,.bmp";
/** More pictures than these are shown as small tiles. */
const FEW = 8;

/** One picture of the field. `reference` is null until it is uploaded; `unsent` if the service was unreachable. */
function fromFile(file) {
  return { file, url: URL.createObjectURL(file), reference: null, unsent: false };
}

function fromReference(reference) {
  return { file: null, url: pictureUrl(reference), reference, unsent: false };
}

/** A field (see fields.js) for one picture, or several where the param is `pictures`. */
export function pictureField(param) {
  const many = param.control === "pictures";
  const max = many ? param.maxItems : 1;
  const clips = param.control === "clip";
  const accepted = (file) => !file.type || file.type.startsWith("image/") || (clips && file.type.startsWith("video/"));
  const { help, problem, describedBy } = notes(param.description);
  const input = el("input", {
    type: "file",
    id: newId(param.name),
    class: "visually-hidden",
    accept: `image/*,${clips ? "video/*," : ""}${ENDINGS}`,
    multiple: many,
    "aria-describedby": describedBy,
  });
  const prompt = el("span", { class: "prompt" });
  const dropZone = el("label", { class: "drop-zone", for: input.id }, prompt);
  const total = el("span", { class: "help" });
  const removeAll = el("button", { type: "button", class: "link", onclick: () => clear() }, "Remove all");
  const tiles = el("ul", { class: "tiles" });
  const title = newId(`${param.name}-title`);
  const element = el(
    "div",
    { class: "picture-field", role: "group", "aria-labelledby": title, "data-field": param.name },
    el("div", { class: "picture-heading" }, el("p", { class: "picture-title", id: title }, param.title), total, removeAll),
    el("div", { class: "picture-body" }, tiles, input, dropZone),
    problem,
    help,
  );
  const showProblem = problemSetter(problem, input);
  let items = [];
  /** What takes several pictures at once in the place of a field for one. */
  let takeMany = null;

  /** Forget items, and stop their uploads. */
  function drop(...dropped) {
    for (const item of dropped) {
      item.sending?.abort();
      if (item.file) URL.revokeObjectURL(item.url);
    }
    items = items.filter((item) => !dropped.includes(item));
    render();
  }

  /** Show the state of one item. */
  function update(item) {
    const before = item.tile;
    item.tile = tileOf(item);
    before?.replaceWith(item.tile);
  }

  async function send(item) {
    const sending = new AbortController();
    Object.assign(item, { sending, unsent: false, share: 0 });
    update(item);
    try {
      const image = await upload(item.file, (share) => showShare(item, share), sending.signal);
      if (!clips && isClip(image)) {
        drop(item);
        showProblem(`${item.file.name} moves: use a still picture, such as one of its ${image.frames} frames.`);
        void refuseUpload(image);
      } else {
        item.reference = image.id;
        // A copy can be shown now of what the browser does not know.
        if (item.tile?.firstElementChild.matches(".tile-text")) item.tile.dataset.name = "";
        tellAdded(item);
      }
    } catch (error) {
      if (sending.signal.aborted) return;
      if (error instanceof Unreachable) {
        item.unsent = true;
      } else {
        drop(item);
        showProblem(`${item.file.name}: ${reasonOf(error)}`);
      }
    } finally {
      item.sending = null;
    }
    update(item);
    notifyInput(element);
  }

  /** Tell the form of a picture that was sent. */
  function tellAdded(item) {
    const detail = { reference: item.reference, isHere: () => items.includes(item), takeOut: () => drop(item) };
    element.dispatchEvent(new CustomEvent("pictureadded", { bubbles: true, detail }));
  }

  function showShare(item, share) {
    item.share = share;
    const bar = item.tile?.querySelector("progress");
    if (bar) bar.value = share;
  }

  function add(files) {
    showProblem(null);
    if (takeMany && !many && files.length > 1) {
      takeMany(files);
      return;
    }
    const wrong = files.find((file) => !accepted(file));
    if (wrong) showProblem(`${wrong.name} is ${clips ? "neither a picture nor a clip" : "not a picture"}.`);
    const pictures = files.filter(accepted);
    if (!pictures.length) return;
    if (!many) drop(...items);
    const free = max - items.length;
    if (pictures.length > free) showProblem(`At most ${max} pictures: the others were left out.`);
    const added = pictures.slice(0, free).map(fromFile);
    items = [...items, ...added];
    for (const item of added) item.done = send(item);
    render();
    notifyInput(element);
  }

  function retry(item) {
    item.done = send(item);
  }

  function remove(item) {
    drop(item);
    showProblem(null);
    input.focus();
    notifyInput(element);
  }

  function clear() {
    drop(...items);
    showProblem(null);
    input.focus();
    notifyInput(element);
  }

  /** The picture of an item, made once: others come and go without it being decoded again. */
  function imageOf(item, name) {
    async function showName({ target }) {
      const say = (...words) => target.replaceWith(el("p", { class: "tile-text" }, ...words));
      if (item.file) {
        say(item.file.name);
        return;
      }
      const { fate } = await askFate(copy);
      if (fate === DELETED) say("This picture was deleted.");
      else if (fate === UNKNOWN) say("Not loaded. ", againButton());
      else say(`${name} cannot be shown.`);
    }
    function againButton() {
      const onclick = ({ target }) => target.parentNode.replaceWith(imageOf(item, name));
      return el("button", { type: "button", class: "link", onclick }, "Try again");
    }
    const showVideo = ({ target }) =>
      target.replaceWith(
        el("video", { src: item.url, muted: true, preload: "metadata", "aria-label": name, onerror: showName }),
      );
    const copy = item.reference && smallUrl(pictureUrl(item.reference));
    function onerror({ target }) {
      // The browser may not know a format that the service accepts, or the service has deleted the picture.
      if (copy && target.getAttribute("src") !== copy) target.src = copy;
      else (clips ? showVideo : showName)({ target });
    }
    return el("img", { src: item.file ? item.url : copy, alt: name, decoding: "async", onerror });
  }

  function tileOf(item) {
    const filename = item.file?.name ?? nameOf(item.reference);
    const name = filename ? titleOfFile(filename) : param.title;
    const shown = item.tile?.dataset.name === name ? item.tile.firstElementChild : imageOf(item, name);
    const tile = el("li", { class: "tile", "data-name": name }, shown);
    if (item.sending) {
      const label = `Uploading ${name}, ${megabytes(item.file.size)}`;
      tile.append(el("progress", { max: 1, value: item.share, "aria-label": label }));
    }
    if (item.unsent) {
      const again = el("button", { type: "button", class: "link", onclick: () => retry(item) }, "Try again");
      tile.append(el("p", { class: "tile-text", role: "alert" }, "Not sent. ", again));
    }
    const button = el("button", { type: "button", class: "remove", "aria-label": `Remove ${name}` }, "×");
    button.addEventListener("click", () => remove(item));
    tile.append(button);
    return tile;
  }

  function render() {
    for (const item of items) update(item);
    tiles.replaceChildren(...items.map((item) => item.tile));
    tiles.hidden = items.length === 0;
    element.dataset.count = String(items.length);
    element.toggleAttribute("data-many", items.length > FEW);
    total.textContent = items.length > FEW ? `${items.length} pictures` : "";
    removeAll.hidden = items.length <= FEW;
    prompt.textContent = items.length === 0 ? "Drop or choose" : many ? "Add" : "Replace";
    dropZone.hidden = many && items.length >= max;
  }

  onUploads((id, isHere) => {
    const gone = isHere ? [] : items.filter(({ reference }) => reference === id);
    if (gone.length === 0) return;
    drop(...gone);
    notifyInput(element);
  });
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  for (const type of ["dragenter", "dragover"]) {
    element.addEventListener(type, ({ dataTransfer }) => mayBePicture(dataTransfer) && element.classList.add("drag-over"));
  }
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("drag-over");
  });
  element.addEventListener("drop", () => element.classList.remove("drag-over"));
  render();

  return {
    param,
    element,
    add,
    /** Add a picture that the service has; in the place of the one that is there, where there can be but one. */
    addReference(reference) {
      showProblem(null);
      if (items.some((item) => item.reference === reference)) return;
      if (!many) drop(...items);
      if (items.length >= max) {
        showProblem(`At most ${max} pictures: this one was left out.`);
        return;
      }
      items = [...items, fromReference(reference)];
      render();
      notifyInput(element);
      fetchNames([reference]).then(render);
    },
    isEmpty: () => items.length === 0,
    /** Let a person choose several pictures where the field is for one: `take(files)` gets them. */
    onmany(take) {
      takeMany = take;
      input.multiple = true;
    },
    /** Files of the pictures that are not uploaded yet. */
    unsent: () => items.filter(({ file, reference }) => file && !reference).map(({ file }) => file),
    /** References of the pictures that are uploaded. */
    references: () => items.map((item) => item.reference).filter(Boolean),
    isSending: () => items.some(({ sending }) => sending),
    /** Resolves when the uploads that go on have ended. */
    async settled() {
      await Promise.all(items.map((item) => item.done));
    },
    get() {
      if (items.some((item) => item.unsent)) throw new RangeError("This picture is not sent yet: try again.");
      const references = items.map((item) => item.reference).filter(Boolean);
      if (references.length === 0) return undefined;
      return many ? references : references[0];
    },
    set(value) {
      drop(...items);
      const references = value === null ? [] : [value].flat();
      items = references.map(fromReference);
      render();
      fetchNames(references).then(render);
    },
    setPreset() {},
    showProblem(text) {
      showProblem(text);
      // The service may have deleted the picture: choosing it again must send it again.
      if (text) for (const item of items) forgetUpload(item.reference);
    },
    focus: () => input.focus(),
  };
}
