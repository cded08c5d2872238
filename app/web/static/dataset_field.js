/** A field for a set of pictures: one that is there, a built-in one, or a folder or ZIP that becomes one. */

import { deleteDataset, getDataset, Problem, Unreachable, uploadDataset } from "./api.js";
import { el, newId, notifyInput, showText } from "./dom.js";
import { notes, problemSetter } from "./fields.js";
import { filesOfEntries, isZip, withPaths } from "./folders.js";
import { waitForJob } from "./follow.js";
import { findSet, knownSets, onSets, refreshSets } from "./sets.js";
import { counted, fileSize } from "./text.js";
import { zipOf } from "./zip.js";

/** Skipped files that are listed. */
const LISTED = 5;
const MAX_NAME = 60;
/** The error of a job that found no picture for its set. */
const EMPTY = "dataset_empty";

/** A name for a set, from that of a file or folder, that no other set has. */
function freeName(title) {
  const plain = title.normalize("NFKD").toLowerCase().replace(/\.zip$/, "").replace(/[^a-z0-9._-]+/g, "-");
  const base = plain.replace(/^[^a-z0-9]+|-+$/g, "").slice(0, MAX_NAME - 4) || "pictures";
  const taken = new Set(knownSets().map(({ name }) => name));
  let name = base;
  for (let count = 2; taken.has(name); count += 1) name = `${base}-${count}`;
  return name;
}

/** "12 pictures, 3 labels, 1 duplicate". */
function describe({ members, labels, duplicates }) {
  const named = labels.filter(({ label }) => label !== null).length;
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
  const bar = el("progress", { max: 1, "aria-label": "Progress of the set" });
  const text = el("p", { class: "help", role: "status" });
  const stop = el("button", { type: "button", class: "button", onclick: () => making?.abort() }, "Cancel");
  const box = el("div", { class: "download", hidden: true }, text, bar, el("div", {}, stop));
  const prompt = el(
    "div",
    { class: "set-drop" },
    "Or drop a new one, or choose a ",
    el("span", { class: "set-choice" }, folder, el("label", { class: "link", for: folder.id }, "folder")),
    " or ",
    el("span", { class: "set-choice" }, zip, el("label", { class: "link", for: zip.id }, "ZIP")),
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
    report,
    problem,
    help,
  );
  const showProblem = problemSetter(problem, select);
  /** The AbortController of what is being made of files. */
  let making = null;
  /** The value, and the reference that an old job has of it. */
  let value = null;

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
    report.hidden = true;
    const name = listed(value);
    if (name === null || !findSet(name)) return;
    try {
      const set = await getDataset(name);
      if (listed(value) === name) showText(counts, set.state === "closed" ? describe(set) : null);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    }
  }

  function choose(next) {
    value = next;
    render();
    return showCounts();
  }

  /** The ZIP of what was given: itself, or one of the files. */
  async function pack(files, entries) {
    if (files.length === 1 && isZip(files[0])) return { blob: files[0], title: files[0].name };
    const found = entries.length ? await filesOfEntries(entries) : withPaths(files);
    if (found.length === 0) throw new RangeError("There are no files in this folder.");
    const top = found[0].name.split("/");
    const blob = await zipOf(found, (share) => showProgress(`Reading ${counted(found.length, "file")}`, share), making.signal);
    return { blob, title: top.length > 1 ? top[0] : "pictures" };
  }

  async function make(files, entries) {
    const { signal } = making;
    showProgress("Reading");
    const { blob, title } = await pack(files, entries);
    await refreshSets();
    const size = fileSize(blob.size);
    const onprogress = (share) =>
      share < 1 ? showProgress(`Sending ${fileSize(share * blob.size)} of ${size}`, share) : showProgress("Storing");
    const set = await uploadDataset(blob, freeName(title), onprogress, signal);
    const job = await waitForJob(set.jobs[0], signal, showJob);
    if (job.state !== "succeeded") {
      await deleteDataset(set.id);
      signal.throwIfAborted();
      const { type, detail = "This was cancelled." } = job.error ?? {};
      throw new RangeError(type?.endsWith(EMPTY) ? "None of its files is a picture that can be read." : detail);
    }
    await refreshSets();
    await choose(set.name);
    report.replaceChildren(...findings(job.result));
    report.hidden = report.childElementCount === 0;
  }

  /** The job goes over the files twice: it checks all, then keeps those that are right. */
  function showJob({ progress, state }) {
    if (making.signal.aborted) {
      showProgress("Stopping");
      return;
    }
    if (state !== "running" || !progress?.total) {
      showProgress("Waiting for its turn");
      return;
    }
    const { done, total } = progress;
    const half = total / 2;
    const words = done < half ? `Checking ${done + 1} of ${counted(half, "file")}` : `Keeping ${Math.min(done - half + 1, half)} of ${counted(half, "file")}`;
    showProgress(words, done / total);
  }

  /** What to say of an error, or null for nothing. */
  function reasonOf(error) {
    if (error instanceof Problem || error instanceof Unreachable || error instanceof RangeError) return error.message;
    if (!(error instanceof DOMException)) throw error;
    return error.name === "AbortError" ? null : "It cannot be read. Has it moved?";
  }

  async function add(files, entries = []) {
    if (making) return;
    showProblem(null);
    making = new AbortController();
    showText(counts, null);
    report.hidden = true;
    render();
    let failure = null;
    try {
      await make(files, entries);
    } catch (error) {
      failure = error;
    } finally {
      making = null;
      render();
    }
    notifyInput(select);
    if (failure) showProblem(reasonOf(failure));
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
    unusable: () => (making ? "This set is still being made." : null),
    showProblem,
    focus: () => select.focus(),
  };
}
