/** The form: the chosen kind, what is kept of its settings, and how a job is sent. */

import { findNetworks, Problem, sendJob, Unreachable } from "./api.js";
import { sendMatrix } from "./batch_api.js";
import { el, showText } from "./dom.js";
import { takeDragged } from "./dragged.js";
import { entriesOf, isLines, isZip } from "./folders.js";
import { requestKeys } from "./keys.js";
import { makeKindForm, showKindForm } from "./kind_form.js";
import { continuedParam, isPicture, kindOf, listedKinds } from "./kinds.js";
import { openMany } from "./many.js";
import { findNetwork, refreshNetworks } from "./networks.js";
import { openRecipeOffer } from "./recipe_offer.js";
import { load, save } from "./session.js";

const form = document.getElementById("job-form");
const kindSelect = document.getElementById("kind");
const submit = document.getElementById("submit");
const advanced = document.getElementById("advanced");
const formProblem = document.getElementById("form-problem");

/**
 * Open the form. `onjob(job)` is called with every job sent, `onbatch(batch)` with every batch, `onlines(file)` with a
 * file of jobs that was dropped, `onkind()` when another kind is shown. Returns {reuse(job), goOn(job), open(kind, params)},
 * which show a job's settings, these for a job that goes on where it ended, or a form in which some params are filled in,
 * and pictureUses().
 */
export function openForm({ onjob, onbatch, onlines, onkind }) {
  /** Forms by kind: values stay while another kind is shown. */
  const kindForms = new Map();
  let current = null;
  let sending = false;
  /** Grows with whatever is put into the form: what was asked for before comes too late. */
  let changes = 0;
  const keys = requestKeys();
  const many = openMany({ current: () => current, onswitch: () => choose(current.kind.kind) });

  function kindFormOf(name) {
    if (!kindForms.has(name)) {
      const made = makeKindForm(kindOf(name));
      made.write(load(`settings.${name}`) ?? {});
      kindForms.set(name, made);
    }
    return kindForms.get(name);
  }

  function choose(name) {
    const before = current;
    changes += 1;
    current = kindFormOf(name);
    kindSelect.value = name;
    save("kind", name);
    if (before && before !== current) copyPicture(before, current);
    offer.close();
    showText(formProblem, null);
    many.prepare(current);
    showKindForm(current);
    many.show();
    onkind();
  }

  const saveSettings = (of = current) => save(`settings.${of.kind.kind}`, of.read().params);

  /** Send one job, or a batch of many. */
  async function request(from, params, over) {
    const { kind, path } = from.kind;
    const matrix = over && { kind, params, over, combine: many.combine(from) };
    const title = matrix && many.title(from);
    const key = keys.of(matrix ? { matrix, title } : { path, params });
    const answer = matrix ? await sendMatrix(matrix, title, key) : await sendJob(path, params, key);
    keys.answered();
    // The next job is about something else, unless somebody says so again.
    const continued = continuedParam(kind);
    if (continued) {
      kindForms.get(kind).fields.get(continued.name).set(null);
      saveSettings(kindForms.get(kind));
    }
    (matrix ? onbatch : onjob)(answer);
  }

  async function send() {
    const from = current;
    from.clearProblems();
    showText(formProblem, null);
    if (from.uploading().some((field) => !field.isEmpty())) submit.dataset.busy = "Uploading";
    // Others may be added meanwhile.
    do {
      await Promise.all(from.uploading().map((field) => field.settled()));
    } while (from.uploading().some((field) => field.isSending()));
    const { params, over, problems } = from.read();
    /** Say what is wrong; where another form is shown meanwhile, with the name of that which it is about. */
    function show(found) {
      const isShown = from === current;
      const others = from.show(found, advanced, { isShown });
      showText(formProblem, isShown ? others.join(" ") : `${from.kind.title}: ${found.map(({ detail }) => detail).join(" ")}`);
    }
    if (problems.length) {
      show(problems);
      return;
    }
    submit.dataset.busy = "Sending";
    try {
      await request(from, params, over);
    } catch (error) {
      if (error instanceof Unreachable) {
        show([{ field: null, detail: error.message }]);
      } else if (error instanceof Problem) {
        keys.answered();
        show(error.fields);
      } else {
        throw error;
      }
    }
  }

  /** The params of an old job; a network that was renamed since has its present name. */
  async function paramsOf({ kind, params, network }) {
    if (!network?.sha256) return params;
    try {
      const found = await findNetworks(network.sha256);
      const card = found.find(({ name }) => name === network.name) ?? found[0];
      if (!card) return params;
      if (!findNetwork(card.name)) await refreshNetworks();
      const param = kindOf(kind).params.find(({ control }) => control === "network");
      return { ...params, [param.name]: card.name };
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      return params;
    }
  }

  /** Whether the settings came before anything else was put into the form. */
  async function reuse(job, others = {}) {
    changes += 1;
    const own = changes;
    const params = { ...(await paramsOf(job)), ...others };
    if (own !== changes) return false;
    choose(job.kind);
    many.turnOff();
    current.clearProblems();
    current.reuse(params);
    saveSettings();
    form.scrollIntoView({ block: "nearest" });
    return true;
  }

  /** Show the settings of a picture that was made with Impasto; pictures that were chosen stay. */
  function useRecipe({ kind, params }) {
    choose(kind);
    many.turnOff();
    current.clearProblems();
    current.reuse(params, { keepPictures: true });
    saveSettings();
  }

  async function goOn(job) {
    const { name } = continuedParam(job.kind);
    // It starts from the picture of that job.
    if (!(await reuse(job, { [name]: job.id, init: null, init_image: null }))) return;
    advanced.open = true;
    current.fields.get(name).focus();
  }

  function open(kind, params) {
    choose(kind);
    many.turnOff();
    for (const [name, value] of Object.entries(params)) current.fields.get(name)?.set(value);
    current.showNetwork();
    saveSettings();
    form.scrollIntoView({ block: "start" });
    kindSelect.focus({ preventScroll: true });
  }

  /** What a picture may be used for: [{kind, param, title}], by the first kind there is and by the one that is shown. */
  function pictureUses() {
    const [first] = listedKinds();
    const uses = ({ kind, main }, titleOf) =>
      main.map(({ param }) => ({ kind: kind.kind, param: param.name, title: titleOf(param) }));
    const found = uses(kindFormOf(first.kind), ({ title }) => `Use as ${title.toLowerCase()}`);
    return current.kind === first ? found : [...found, ...uses(current, () => `Use for ${current.kind.title}`).slice(0, 1)];
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    submit.setAttribute("aria-disabled", "true");
    try {
      await send();
    } finally {
      sending = false;
      delete submit.dataset.busy;
      submit.removeAttribute("aria-disabled");
    }
  });

  form.addEventListener("input", (event) => {
    const field = current.fields.get(event.target.closest("[data-field]")?.dataset.field);
    if (!field) return;
    if (field.param.control === "preset") current.showPreset();
    if (["preset", "network"].includes(field.param.control)) current.showNetwork();
    if (!isPicture(field.param)) field.showProblem(null);
    showText(formProblem, null);
    saveSettings();
  });

  const listed = listedKinds();
  const groups = [...new Set(listed.map(({ group }) => group))];
  kindSelect.append(
    ...groups.map((group) => {
      const options = listed.filter((kind) => kind.group === group);
      return el("optgroup", { label: group }, ...options.map(({ kind, title }) => el("option", { value: kind }, title)));
    }),
  );
  const offer = openRecipeOffer({ onuse: useRecipe });
  kindSelect.addEventListener("change", () => choose(kindSelect.value));
  const last = load("kind");
  choose(listed.some(({ kind }) => kind === last) ? last : listed[0].kind);
  receiveFiles(() => current, many, { onlines, onother: (files) => offer.askFile(files[0]) });
  submit.disabled = false;
  return { reuse, goOn, open, pictureUses };
}

/** Copy the first picture of one form to the first required picture of another, if that is empty. */
function copyPicture(from, to) {
  const [source, target] = [from.main[0], to.main[0]];
  if (!source || !target?.isEmpty() || source.param.control === "clip") return;
  const [reference] = source.references();
  if (reference) target.set(target.param.control === "pictures" ? [reference] : reference);
}

/**
 * Files dropped or pasted anywhere go to the field at that place; elsewhere folders and ZIPs go to the set, if the
 * form has one, pictures to the first empty field. Folders of pictures make a form for one a form for many. `onother(files)`
 * gets files for which the form has no place.
 */
function receiveFiles(currentForm, many, { onlines, onother }) {
  /** The field at a place: that for many pictures, if it is in the place of another. */
  const fieldAt = (target) => {
    const { pictures, pictureFields } = currentForm();
    return [...pictureFields(), ...pictures].find(({ element }) => element.contains(target)) ?? null;
  };

  function receive(target, files, entries) {
    const { pictures, main, dataset } = currentForm();
    const lines = files.find(isLines);
    if (lines) {
      onlines(lines);
      return;
    }
    const isBulk = files.some(isZip) || entries.some(({ isDirectory }) => isDirectory);
    if (dataset && (dataset.element.contains(target) || isBulk)) {
      dataset.add(files, entries);
      return;
    }
    if (many.receive(target, files, entries)) return;
    const field =
      pictures.find(({ element }) => element.contains(target)) ??
      main.find((candidate) => candidate.isEmpty()) ??
      main.at(-1) ??
      pictures[0];
    if (field) field.add(files);
    else if (dataset) dataset.add(files, entries);
    else onother(files);
  }
  /** Whether a drag is of a picture or a link of a page, over a field for pictures. */
  const isOverField = ({ dataTransfer, target }) => dataTransfer.types.includes("text/uri-list") && fieldAt(target) !== null;
  addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files") || isOverField(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (isOverField(event)) {
      event.preventDefault();
      takeDragged(fieldAt(event.target), event.dataTransfer, [...event.dataTransfer.files]);
      return;
    }
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    receive(event.target, [...event.dataTransfer.files], entriesOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) receive(document.activeElement, [...event.clipboardData.files], []);
  });
}
