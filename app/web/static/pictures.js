/** A place for pictures: drop, pick or paste them, see them at once, and have them uploaded meanwhile. */

import { pictureUrl, Problem, Unreachable } from "./api.js";
import { el, freshId } from "./dom.js";
import { complainer, notes } from "./fields.js";
import { learnNames, nameOf } from "./names.js";
import { megabytes, titleOf } from "./text.js";
import { forget, upload } from "./uploads.js";

/**
 * One picture in the well. `reference` is null until it is uploaded; `unsent` when that found no service, and
 * trying again may help.
 */
function fromFile(file) {
  return { file, url: URL.createObjectURL(file), reference: null, unsent: false };
}

function fromReference(reference) {
  return { file: null, url: pictureUrl(reference), reference, unsent: false };
}

/** Why a file was not taken, for the person who dropped it. */
function reasonOf(error) {
  if (error instanceof Problem) return error.message;
  if (error instanceof DOMException) return "It cannot be read. Is it a folder, or has it moved?";
  throw error;
}

/** A field (see fields.js) for one picture, or several where the param is `pictures`. */
export function pictureField(param) {
  const many = param.control === "pictures";
  const most = many ? param.maxItems : 1;
  const clips = param.control === "clip";
  const taken = (file) => !file.type || file.type.startsWith("image/") || (clips && file.type.startsWith("video/"));
  const { help, problem, describedBy } = notes(param.description);
  const input = el("input", {
    type: "file",
    id: freshId(param.name),
    class: "unseen",
    accept: clips ? "image/*,video/*" : "image/*",
    multiple: many,
    "aria-describedby": describedBy,
  });
  const prompt = el("span", { class: "prompt" });
  const drop = el("label", { class: "drop", for: input.id }, prompt);
  const tiles = el("ul", { class: "tiles" });
  const title = freshId(`${param.name}-title`);
  const element = el(
    "div",
    { class: "well", role: "group", "aria-labelledby": title, "data-field": param.name },
    el("p", { class: "well-title", id: title }, param.title),
    el("div", { class: "well-body" }, tiles, input, drop),
    problem,
    help,
  );
  const complain = complainer(problem, input);
  let items = [];

  function changed() {
    element.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function discard(item) {
    item.sending?.abort();
    if (item.file) URL.revokeObjectURL(item.url);
    items = items.filter((other) => other !== item);
    render();
  }

  async function send(item) {
    const sending = new AbortController();
    Object.assign(item, { sending, unsent: false, share: 0 });
    render();
    try {
      const image = await upload(item.file, (share) => showShare(item, share), sending.signal);
      item.reference = image.id;
    } catch (error) {
      if (sending.signal.aborted) return;
      if (error instanceof Unreachable) {
        item.unsent = true;
      } else {
        discard(item);
        complain(`${item.file.name}: ${reasonOf(error)}`);
      }
    } finally {
      item.sending = null;
    }
    render();
    changed();
  }

  function showShare(item, share) {
    item.share = share;
    const bar = item.tile?.querySelector("progress");
    if (bar) bar.value = share;
  }

  function add(files) {
    complain(null);
    const wrong = files.find((file) => !taken(file));
    if (wrong) complain(`${wrong.name} is ${clips ? "neither a picture nor a clip" : "not a picture"}.`);
    const pictures = files.filter(taken);
    if (!pictures.length) return;
    if (!many) items.forEach(discard);
    const room = most - items.length;
    if (pictures.length > room) complain(`At most ${most} pictures: the others were left out.`);
    const added = pictures.slice(0, room).map(fromFile);
    items = [...items, ...added];
    for (const item of added) item.done = send(item);
    changed();
  }

  function retry(item) {
    item.done = send(item);
  }

  function remove(item) {
    discard(item);
    complain(null);
    input.focus();
    changed();
  }

  function tileOf(item) {
    const filename = item.file?.name ?? nameOf(item.reference);
    const name = filename ? titleOf(filename) : param.title;
    // A browser may not know a format that the service takes; a picture of the service's may be deleted.
    const blind = (event) =>
      event.target.replaceWith(el("p", { class: "blind" }, item.file?.name ?? "This picture is gone."));
    const film = (event) =>
      event.target.replaceWith(
        el("video", { src: item.url, muted: true, preload: "metadata", "aria-label": name, onerror: blind }),
      );
    const onerror = clips ? film : blind;
    const image = el("img", { src: item.url, alt: name, decoding: "async", onerror });
    const tile = el("li", { class: "tile" }, image);
    if (item.sending) {
      const label = `Uploading ${name}, ${megabytes(item.file.size)}`;
      tile.append(el("progress", { max: 1, value: item.share, "aria-label": label }));
    }
    if (item.unsent) {
      const again = el("button", { type: "button", class: "link", onclick: () => retry(item) }, "Try again");
      tile.append(el("p", { class: "blind", role: "alert" }, "Not sent. ", again));
    }
    const button = el("button", { type: "button", class: "remove", "aria-label": `Remove ${name}` }, "×");
    button.addEventListener("click", () => remove(item));
    tile.append(button);
    return tile;
  }

  function render() {
    for (const item of items) item.tile = tileOf(item);
    tiles.replaceChildren(...items.map((item) => item.tile));
    tiles.hidden = items.length === 0;
    element.dataset.count = String(items.length);
    prompt.textContent = items.length === 0 ? "Drop or choose" : many ? "Add" : "Replace";
    drop.hidden = many && items.length >= most;
  }

  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  element.addEventListener("dragenter", () => element.classList.add("over"));
  element.addEventListener("dragover", () => element.classList.add("over"));
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("over");
  });
  element.addEventListener("drop", () => element.classList.remove("over"));
  render();

  return {
    param,
    element,
    add,
    isEmpty: () => items.length === 0,
    /** Resolves when no picture is on its way any more. */
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
      items.forEach(discard);
      const references = value === null ? [] : [value].flat();
      items = references.map(fromReference);
      render();
      learnNames(references).then(render);
    },
    preset() {},
    complain(text) {
      complain(text);
      // The service may have lost a picture that it had: choosing it again must send it again.
      if (text) for (const item of items) forget(item.reference);
    },
    focus: () => input.focus(),
  };
}
