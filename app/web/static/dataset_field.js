/** A field for a set of pictures: one that is there, a built-in one, or a folder or ZIP that becomes one. */

import { getDataset, getStatistics, Problem, Unreachable } from "./api.js";
import { openCameraDialog } from "./camera_dialog.js";
import { classBars, partLegend, suggestionElements, warningElements } from "./class_bars.js";
import { el, newId, notifyInput, showText } from "./dom.js";
import { notes, problemSetter } from "./fields.js";
import { openSetDialog } from "./set_dialog.js";
import { makeSet, makeSetOfFound } from "./set_making.js";
import { findSet, knownSets, onSets } from "./sets.js";
import { counted } from "./text.js";

/** Skipped files that are listed, and classes. */
const LISTED = 5;
const CLASSES = 12;

const namedLabels = ({ labels }) => labels.filter(({ label }) => label !== null);

/** "12 pictures, 3 labels, 1 duplicate". */
function describe(set) {
  const { members, labels, duplicates } = set;
  const named = namedLabels(set).length;
  const unnamed = labels.find(({ label }) => label === null)?.members ?? 0;
  return [
    counted(members, "picture"),
    named ? counted(named, "label") : "no labels",
    named && unnamed ? `${unnamed} without a label` : null,
    duplicates ? counted(duplicates, "duplicate") : null,
  ].filter(Boolean).join(", ");
}

/** Files of the upload that are not in the set, and why. */
function findings({ skipped, skipped_count: count, ignored, rows_without_picture_count: unmatched }) {
  const items = skipped.slice(0, LISTED).map(({ name, reason }) => el("li", {}, el("b", {}, name), ` ${reason}`));
  if (count > items.length) items.push(el("li", {}, `and ${count - items.length} more`));
  const others = [
    ignored ? `${counted(ignored, "other file")} ignored` : null,
    unmatched ? `${counted(unmatched, "row")} of the table without a picture` : null,
  ].filter(Boolean);
  return [
    ...(count ? [el("p", {}, `${counted(count, "file")} skipped:`), el("ul", {}, ...items)] : []),
    ...(others.length ? [el("p", {}, `${others.join("; ")}.`)] : []),
  ];
}

/** A field (see fields.js) for a param that names a set; `add(files, entries)` makes one of files or of a drop. */
export function datasetField(param) {
  const { help, problem, describedBy } = notes(param.description);
  const select = el("select", { id: newId(param.name), name: param.name, "aria-describedby": describedBy });
  const folder = el("input", { type: "file", class: "visually-hidden", id: newId("folder"), webkitdirectory: true });
  const zip = el("input", { type: "file", class: "visually-hidden", id: newId("zip"), accept: ".zip,application/zip" });
  const counts = el("p", { class: "help counts", role: "status", hidden: true });
  const report = el("div", { class: "help report", hidden: true });
  const summary = el("div", { class: "set-summary", hidden: true });
  const bar = el("progress", { max: 1, "aria-label": "Progress of the set" });
  const text = el("p", { class: "help", role: "status" });
  const stop = el("button", { type: "button", class: "button", onclick: () => making?.abort() }, "Cancel");
  const box = el("div", { class: "download", hidden: true }, text, bar, el("div", {}, stop));
  const prompt = el(
    "div",
    { class: "set-drop" },
    "Or drop folders here, one for each class, or a ZIP; or choose a ",
    el("span", { class: "set-choice" }, folder, el("label", { class: "link", for: folder.id }, "folder")),
    " or ",
    el("span", { class: "set-choice" }, zip, el("label", { class: "link", for: zip.id }, "ZIP")),
    ", or ",
    el("button", { type: "button", class: "link", onclick: useCamera }, "take pictures"),
    ".",
  );
  const element = el(
    "div",
    { class: "field wide dataset-field", "data-field": param.name },
    el("label", { for: select.id }, param.title),
    select,
    prompt,
    box,
    counts,
    summary,
    report,
    problem,
    help,
  );
  const showProblem = problemSetter(problem, select);
  /** The AbortController of what is being made of files. */
  let making = null;
  /** The value, and the reference that an old job has of it. */
  let value = null;
  /** What the service says of the chosen set, once it has. */
  let detail = null;

  /** The name or id that a job's `<id>@<sha256>` is listed by. */
  function listed(reference) {
    return reference === null ? null : (findSet(reference)?.name ?? reference);
  }

  function render() {
    const shown = listed(value);
    const known = knownSets().filter(({ state, name }) => state === "closed" && !param.builtIn.includes(name));
    const option = (name, title = name) => el("option", { value: name }, title);
    const group = (label, ...options) => (options.length ? [el("optgroup", { label }, ...options)] : []);
    const gone = shown !== null && !param.builtIn.includes(shown) && !known.some(({ name }) => name === shown);
    select.replaceChildren(
      option("", param.required ? "Choose a set" : "none"),
      ...(gone ? [option(shown)] : []),
      ...group("Built in", ...param.builtIn.map((name) => option(name))),
      ...group("Yours", ...known.map(({ name, members }) => option(name, `${name} (${counted(members, "picture")})`))),
    );
    select.value = shown ?? "";
    element.toggleAttribute("data-busy", making !== null);
    box.hidden = making === null;
    prompt.hidden = select.disabled = making !== null;
  }

  function showProgress(words, share = null) {
    text.textContent = words;
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  /** Say what is in the chosen set. A built-in one may not be drawn yet. */
  async function showCounts() {
    showText(counts, null);
    report.hidden = summary.hidden = true;
    detail = null;
    const name = listed(value);
    if (name === null || !findSet(name)) return;
    try {
      const [set, statistics] = await Promise.all([getDataset(name), getStatistics(name)]);
      if (listed(value) !== name || set.state !== "closed") return;
      detail = set;
      showText(counts, describe(set));
      showSummary(set, statistics);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    }
  }

  /** Its classes as bars, what to know of them, and the way to its pictures. */
  function showSummary(set, statistics) {
    summary.replaceChildren(
      ...(namedLabels(set).length ? [partLegend(set), classBars(set, { most: CLASSES })].filter(Boolean) : []),
      ...warningElements(statistics),
      ...(param.leastLabels > 1 ? suggestionElements(statistics) : []),
      el("button", { type: "button", class: "link", onclick: () => openSetDialog(set.id, chooseMade) }, "Look at the pictures, change labels"),
    );
    summary.hidden = false;
  }

  function choose(next) {
    value = next;
    render();
    return showCounts();
  }

  /** Choose a set that was made of this one. */
  async function chooseMade(name) {
    await choose(name);
    notifyInput(select);
  }

  /** What to say of an error, or null for nothing. */
  function reasonOf(error) {
    if (error instanceof Problem || error instanceof Unreachable || error instanceof RangeError) return error.message;
    if (!(error instanceof DOMException)) throw error;
    return error.name === "AbortError" ? null : "It cannot be read. Has it moved?";
  }

  /** Make a set by `make(options)` (see set_making.js), and choose it. Returns whether it was made. */
  async function run(make) {
    if (making) return false;
    showProblem(null);
    making = new AbortController();
    showText(counts, null);
    report.hidden = summary.hidden = true;
    render();
    let failure = null;
    try {
      const { name, result } = await make({ onprogress: showProgress, signal: making.signal, leastLabels: param.leastLabels });
      await choose(name);
      report.replaceChildren(...(result ? findings(result) : []));
      report.hidden = report.childElementCount === 0;
    } catch (error) {
      failure = error;
    } finally {
      making = null;
      render();
    }
    notifyInput(select);
    if (failure) showProblem(reasonOf(failure));
    return failure === null;
  }

  const add = (files, entries = []) => run((options) => makeSet(files, entries, options));

  function useCamera() {
    openCameraDialog((found, title) => run((options) => makeSetOfFound(found, title, options)));
  }

  /** Why the set cannot be used yet, or null. */
  function unusable() {
    if (making) return "This set is still being made.";
    const named = detail ? namedLabels(detail).length : param.leastLabels;
    if (named >= param.leastLabels) return null;
    const found = named === 1 ? "All its pictures have one label" : "Its pictures have no labels";
    return `${found}: a training needs ${param.leastLabels} classes at least. Look at the pictures to give labels, or drop a folder for each class.`;
  }

  select.addEventListener("change", () => choose(select.value || null));
  for (const input of [folder, zip]) {
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = "";
      if (files.length) add(files);
    });
  }
  for (const type of ["dragenter", "dragover"]) element.addEventListener(type, () => element.classList.add("drag-over"));
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("drag-over");
  });
  element.addEventListener("drop", () => element.classList.remove("drag-over"));
  onSets(() => {
    render();
    if (!making) showCounts();
  });
  render();

  return {
    param,
    element,
    add,
    get: () => (value === null ? undefined : listed(value)),
    set(next) {
      choose(next);
    },
    setPreset() {},
    unusable,
    showProblem,
    focus: () => select.focus(),
  };
}
