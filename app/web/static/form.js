/** The form: the chosen kind, what is kept of its settings, and how a job is sent. */

import { findNetworks, Problem, sendJob, Unreachable } from "./api.js";
import { el, showText } from "./dom.js";
import { entriesOf, isZip } from "./folders.js";
import { makeKindForm, showKindForm } from "./kind_form.js";
import { isPicture, kindOf, listedKinds } from "./kinds.js";
import { findNetwork, refreshNetworks } from "./networks.js";
import { same } from "./schema.js";
import { load, save } from "./session.js";

const form = document.getElementById("job-form");
const kindSelect = document.getElementById("kind");
const submit = document.getElementById("submit");
const advanced = document.getElementById("advanced");
const formProblem = document.getElementById("form-problem");

/**
 * Open the form. `onjob(job)` is called with every job sent. Returns {reuse(job), open(kind, params)}: one shows a
 * job's settings, the other a form in which some params are filled in.
 */
export function openForm(onjob) {
  /** Forms by kind: values stay while another kind is shown. */
  const kindForms = new Map();
  let current = null;
  let sending = false;
  /** The last request without an answer, and its key, so that sending it again makes no second job. */
  let unanswered = null;

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
    current = kindFormOf(name);
    kindSelect.value = name;
    save("kind", name);
    if (before && before !== current) copyPicture(before, current);
    showText(formProblem, null);
    showKindForm(current);
  }

  const saveSettings = () => save(`settings.${current.kind.kind}`, current.read().params);

  async function send() {
    const from = current;
    from.clearProblems();
    showText(formProblem, null);
    if (from.pictures.some((field) => !field.isEmpty())) submit.dataset.busy = "Uploading";
    await Promise.all(from.pictures.map((field) => field.settled()));
    const { params, problems } = from.read();
    const show = (found) => showText(formProblem, from.show(found, advanced).join(" "));
    if (problems.length) {
      show(problems);
      return;
    }
    submit.dataset.busy = "Sending";
    const request = { path: from.kind.path, params };
    if (!unanswered || !same(unanswered.request, request)) unanswered = { request, key: randomKey() };
    try {
      const job = await sendJob(request.path, params, unanswered.key);
      unanswered = null;
      onjob(job);
    } catch (error) {
      if (error instanceof Unreachable) {
        showText(formProblem, error.message);
      } else if (error instanceof Problem) {
        unanswered = null;
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

  async function reuse(job) {
    const params = await paramsOf(job);
    choose(job.kind);
    current.clearProblems();
    current.reuse(params);
    saveSettings();
    form.scrollIntoView({ block: "nearest" });
  }

  function open(kind, params) {
    choose(kind);
    for (const [name, value] of Object.entries(params)) current.fields.get(name)?.set(value);
    current.showNetwork();
    saveSettings();
    form.scrollIntoView({ block: "start" });
    kindSelect.focus({ preventScroll: true });
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
    const name = event.target.closest("[data-field]")?.dataset.field;
    if (!name) return;
    const field = current.fields.get(name);
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
  kindSelect.addEventListener("change", () => choose(kindSelect.value));
  const last = load("kind");
  choose(listed.some(({ kind }) => kind === last) ? last : listed[0].kind);
  receiveFiles(() => current);
  submit.disabled = false;
  return { reuse, open };
}

/** Copy the first picture of one form to the first required picture of another, if that is empty. */
function copyPicture(from, to) {
  const [source, target] = [from.main[0], to.main[0]];
  if (!source || !target?.isEmpty() || source.param.control === "clip") return;
  const [reference] = source.references();
  if (reference) target.set(target.param.control === "pictures" ? [reference] : reference);
}

/** A random key; crypto.randomUUID is missing over http from other machines. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}

/**
 * Files dropped or pasted anywhere go to the field at that place; elsewhere folders and ZIPs go to the set, if the
 * form has one, pictures to the first empty field.
 */
function receiveFiles(currentForm) {
  function receive(target, files, entries) {
    const { pictures, main, dataset } = currentForm();
    const isBulk = files.some(isZip) || entries.some(({ isDirectory }) => isDirectory);
    if (dataset && (dataset.element.contains(target) || isBulk)) {
      dataset.add(files, entries);
      return;
    }
    const field =
      pictures.find(({ element }) => element.contains(target)) ??
      main.find((candidate) => candidate.isEmpty()) ??
      main.at(-1) ??
      pictures[0];
    if (field) field.add(files);
    else dataset?.add(files, entries);
  }
  addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    receive(event.target, [...event.dataTransfer.files], entriesOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) receive(document.activeElement, [...event.clipboardData.files], []);
  });
}
