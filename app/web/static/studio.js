/** The form: pictures and settings of one kind of job, made from its schema, and the way they are sent. */

import { Problem, sendJob, Unreachable } from "./api.js";
import { say } from "./dom.js";
import { radioField, selectField, sizeField, textField } from "./fields.js";
import { keep, recall } from "./memory.js";
import { pictureField } from "./pictures.js";
import { paramsOf, same } from "./schema.js";
import { strengthField } from "./strength.js";

/** The params that are not under "Advanced", and their controls. Pictures that are required come first. */
const MAIN = {
  preset: (param, kind) => radioField(param, kind.presets),
  size: sizeField,
  style_weight: strengthField,
};

const isPicture = (param) => param.control === "picture" || param.control === "pictures";

function fieldOf(param, kind, networks) {
  if (isPicture(param)) return pictureField(param);
  if (MAIN[param.name]) return MAIN[param.name](param, kind);
  if (param.control === "network") return selectField(param, networks);
  return param.control === "choice" ? selectField(param) : textField(param);
}

/**
 * Fill the form for a kind of job. `onjob(job)` is called with every job sent. Returns `reuse(params)`, which
 * shows the settings of an old job.
 */
export function furnish(kind, networks, onjob) {
  const form = document.getElementById("studio");
  const go = document.getElementById("go");
  const advanced = document.getElementById("advanced");
  const formProblem = document.getElementById("form-problem");
  const fields = new Map(paramsOf(kind).map((param) => [param.name, fieldOf(param, kind, networks)]));
  const wells = [...fields.values()].filter((field) => isPicture(field.param));
  let sending = false;
  /** Params last sent without an answer, and the key that keeps a second try from making a second job. */
  let unanswered = null;

  function place() {
    for (const field of fields.values()) {
      const { param } = field;
      const where =
        isPicture(param) && param.required ? "wells" : MAIN[param.name] ? "main-fields" : "advanced-fields";
      document.getElementById(where).append(field.element);
    }
    advanced.hidden = false;
  }

  const presetValues = () => kind.presets[fields.get("preset").get()].values;

  function showPreset() {
    const values = presetValues();
    for (const field of fields.values()) if (field.param.nullable) field.preset(values[field.param.name]);
  }

  function complainAll(text) {
    say(formProblem, text);
    for (const field of fields.values()) field.complain(null);
  }

  /** Show problems, each at its field; what names no field of this form goes below the button. */
  function show(problems) {
    const strays = [];
    const blamed = [];
    for (const { field: path, detail } of problems) {
      const field = path?.split(".").map((part) => fields.get(part)).find(Boolean);
      if (field) {
        field.complain(detail);
        blamed.push(field);
      } else {
        strays.push(detail);
      }
    }
    say(formProblem, strays.join(" "));
    if (blamed.some((field) => advanced.contains(field.element))) advanced.open = true;
    blamed[0]?.focus();
  }

  /** The params as filled in, and what is wrong with them. */
  function read() {
    const params = {};
    const problems = [];
    for (const [name, field] of fields) {
      try {
        const value = field.get();
        if (value !== undefined) params[name] = value;
        else if (field.param.required) problems.push({ field: name, detail: "Choose a picture first." });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        problems.push({ field: name, detail: error.message });
      }
    }
    return { params, problems };
  }

  function write(params) {
    // Settings may be older than the service: a preset that it does not know any more is its default.
    const preset = params.preset in kind.presets ? params.preset : fields.get("preset").param.default;
    fields.get("preset").set(preset);
    showPreset();
    for (const [name, field] of fields) {
      if (name !== "preset") field.set(params[name] ?? field.param.default);
    }
  }

  function reuse(params) {
    complainAll(null);
    const preset = kind.presets[params.preset]?.values ?? {};
    const own = Object.entries(params).filter(([name, value]) => {
      if (!fields.has(name) || value === null) return false;
      // A job stores what empty came to: the preset's values, and an equal share for each style.
      if (name === "style_weights") return value.some((share) => share !== value[0]);
      return !(fields.get(name).param.nullable && same(value, preset[name]));
    });
    write(Object.fromEntries(own));
    keep("settings", read().params);
    form.scrollIntoView({ block: "nearest" });
  }

  async function send() {
    complainAll(null);
    if (wells.some((well) => !well.isEmpty())) go.dataset.busy = "Uploading";
    await Promise.all(wells.map((well) => well.settled()));
    const { params, problems } = read();
    if (problems.length) {
      show(problems);
      return;
    }
    go.dataset.busy = "Sending";
    if (!unanswered || !same(unanswered.params, params)) unanswered = { params, key: randomKey() };
    try {
      const job = await sendJob(kind.path, params, unanswered.key);
      unanswered = null;
      onjob(job);
    } catch (error) {
      if (error instanceof Unreachable) {
        say(formProblem, error.message);
      } else if (error instanceof Problem) {
        unanswered = null;
        show(error.fields);
      } else {
        throw error;
      }
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    go.setAttribute("aria-disabled", "true");
    try {
      await send();
    } finally {
      sending = false;
      delete go.dataset.busy;
      go.removeAttribute("aria-disabled");
    }
  });

  form.addEventListener("input", (event) => {
    const name = event.target.closest("[data-field]")?.dataset.field;
    if (name === "preset") showPreset();
    if (name && !isPicture(fields.get(name).param)) fields.get(name).complain(null);
    say(formProblem, null);
    keep("settings", read().params);
  });

  place();
  write(recall("settings") ?? {});
  receiveFiles(wells);
  go.disabled = false;
  return { reuse };
}

/** A key that no other submission has; also where crypto.randomUUID is missing (http, other machines). */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}

/** Pictures dropped or pasted anywhere go to the well below them, or else to the first that is empty. */
function receiveFiles(wells) {
  const receive = (target, files) => {
    const required = wells.filter((well) => well.param.required);
    const well =
      wells.find(({ element }) => element.contains(target)) ??
      required.find((candidate) => candidate.isEmpty()) ??
      required.at(-1);
    well.add([...files]);
  };
  addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    receive(event.target, event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) receive(document.activeElement, event.clipboardData.files);
  });
}
