/** Take pictures of several classes with the camera, and make a set of them. */

import { openCamera } from "./camera.js";
import { openDialog } from "./dialog.js";
import { el, newId, showText } from "./dom.js";
import { askBeforeLeaving } from "./leaving.js";
import { counted } from "./text.js";

/** Milliseconds between two pictures while a button is held. */
const EVERY_MS = 150;
/** Newest pictures of a class that are shown. */
const SHOWN = 12;
const MAX_LABEL = 60;
/** Names of folders that are parts of a set, and no classes. */
const PARTS = new Set(["train", "training", "val", "valid", "validation", "test", "testing"]);

/** The classes, kept while the dialog is closed: [{name, pictures: [{file, url}]}]. */
let classes = [];

const freshClass = () => ({ name: `Class ${classes.length + 1}`, pictures: [] });

/** Why the classes make no set, or null. */
function wrongWith(named) {
  const names = named.map(({ name }) => name.trim());
  if (named.length < 2) return "Take pictures of two classes at least: hold the button of each.";
  const wrong = names.find((name) => PARTS.has(name.toLowerCase()));
  if (names.some((name) => !name)) return "Give each class a name.";
  if (names.some((name) => /[/\\]/.test(name) || name.startsWith("."))) return "The name of a class has no slashes, and no dot at its beginning.";
  if (wrong) return `“${wrong}” is the name of a part of a set: give this class another name.`;
  return new Set(names).size < names.length ? "Two classes have the same name." : null;
}

/** Calls `take()` at once and again while a button is held, with the pointer or a key. */
function holdable(button, take) {
  let timer = null;
  const end = () => {
    clearInterval(timer);
    timer = null;
    button.classList.remove("held");
  };
  const begin = () => {
    if (timer !== null) return;
    button.classList.add("held");
    take();
    timer = setInterval(take, EVERY_MS);
  };
  const isPress = ({ key }) => key === " " || key === "Enter";
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    begin();
  });
  button.addEventListener("keydown", (event) => {
    if (!isPress(event)) return;
    event.preventDefault();
    begin();
  });
  button.addEventListener("keyup", (event) => isPress(event) && end());
  // What assistive technology presses without a pointer or a key.
  button.addEventListener("click", ({ detail }) => detail === 0 && take());
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  for (const type of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(type, end);
  return end;
}

/** Ends the question before the page is left, which is asked while there are pictures; null: it is not asked. */
let askLeaving = null;

function askAboutPictures() {
  if (classes.some(({ pictures }) => pictures.length)) {
    askLeaving ??= askBeforeLeaving();
  } else {
    askLeaving?.();
    askLeaving = null;
  }
}

/** Forget classes with their pictures. */
function forget(made) {
  for (const { pictures } of made) for (const { url } of pictures) URL.revokeObjectURL(url);
  classes = classes.filter((each) => !made.includes(each));
  askAboutPictures();
}

/**
 * Open the dialog. `onset(found, title)` gets files [{name, file}] in a folder for each class, and resolves to whether they
 * became a set: until then they are kept.
 */
export function openCameraDialog(onset) {
  const video = el("video", { playsinline: true, muted: true, "aria-label": "The camera" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const list = el("ul", { class: "camera-classes" });
  const add = el("button", { type: "button", class: "button", onclick: addClass }, "Add a class");
  const make = el("button", { type: "button", class: "primary", onclick: makeSet }, "Make the set");
  const total = el("p", { class: "help", role: "status" });
  let camera = null;
  const closing = new AbortController();
  /** Functions that end what is held. */
  let ends = [];
  if (classes.length === 0) for (let count = 0; count < 2; count += 1) classes.push(freshClass());

  const dialog = openDialog({
    title: "Take pictures",
    name: "camera-dialog",
    body: [el("div", { class: "camera-view" }, video, el("p", { class: "help" }, "Turn what you show, move it nearer and farther, and change the background: 20 pictures of each class are a beginning.")), el("div", {}, list, add)],
    foot: [problem, total, make],
    onclose() {
      for (const end of ends) end();
      closing.abort();
    },
  });

  function showTotal() {
    askAboutPictures();
    const taken = classes.reduce((sum, { pictures }) => sum + pictures.length, 0);
    showText(total, taken ? `${counted(taken, "picture")} in all` : null);
  }

  function card(each) {
    const input = el("input", { type: "text", id: newId("class"), value: each.name, maxlength: MAX_LABEL, autocomplete: "off", oninput: () => { each.name = input.value; showText(problem, null); } });
    const shots = el("ul", { class: "shots" });
    const count = el("span", { class: "help" });
    const hold = el("button", { type: "button", class: "button hold" }, "Hold to take pictures");
    const away = el("button", { type: "button", class: "link", onclick: () => removeClass(each) }, "Remove class");

    function render() {
      count.textContent = counted(each.pictures.length, "picture");
      shots.replaceChildren(
        ...each.pictures.slice(-SHOWN).reverse().map((picture) => {
          const label = `Remove picture ${each.pictures.indexOf(picture) + 1} of ${each.name}`;
          return el("li", {}, el("button", { type: "button", title: "Remove", "aria-label": label, onclick: () => remove(picture) }, el("img", { src: picture.url, alt: "" })));
        }),
      );
      showTotal();
    }

    function remove(picture) {
      URL.revokeObjectURL(picture.url);
      each.pictures = each.pictures.filter((other) => other !== picture);
      render();
    }

    async function take() {
      if (!camera) return;
      const file = await camera.take();
      // The class was removed, or the dialog closed to make a set.
      if (closing.signal.aborted || !classes.includes(each)) return;
      each.pictures.push({ file, url: URL.createObjectURL(file) });
      showText(problem, null);
      render();
    }

    ends.push(holdable(hold, take));
    hold.disabled = camera === null;
    render();
    return el("li", { class: "camera-class" }, el("label", { class: "visually-hidden", for: input.id }, "Name of the class"), input, el("div", { class: "camera-row" }, hold, count, away), shots);
  }

  function render() {
    for (const end of ends) end();
    ends = [];
    list.replaceChildren(...classes.map(card));
    showTotal();
  }

  function addClass() {
    classes.push(freshClass());
    render();
    list.lastElementChild.querySelector("input").select();
  }

  function removeClass(each) {
    forget([each]);
    render();
  }

  async function makeSet() {
    const named = classes.filter(({ pictures }) => pictures.length);
    const wrong = wrongWith(named);
    showText(problem, wrong);
    if (wrong) return;
    // A camera numbers its pictures anew whenever it is opened.
    const found = named.flatMap(({ name, pictures }) => pictures.map(({ file }, place) => ({ name: `${name.trim()}/camera-${String(place + 1).padStart(4, "0")}.jpg`, file })));
    const title = named.map(({ name }) => name.trim()).join("-");
    const all = [...classes];
    dialog.close();
    if (await onset(found, title)) forget(all);
  }

  async function start() {
    try {
      camera = await openCamera(video, closing.signal);
    } catch (error) {
      if (closing.signal.aborted) return;
      if (!(error instanceof RangeError)) throw error;
      showText(problem, error.message);
    }
    render();
  }

  render();
  start();
}
