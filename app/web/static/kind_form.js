/** The form of one kind of job: its fields, made from its schema, and their values. */

import { showText } from "./dom.js";
import { checkboxField, radioField, selectField, sizeField, textField } from "./fields.js";
import { isPicture } from "./kinds.js";
import { networkField } from "./network_field.js";
import { pictureField } from "./picture_field.js";
import { same } from "./schema.js";
import { sliderField } from "./slider_field.js";

/** Makers of fields by control; all others are lines of text. */
const MAKERS = {
  picture: pictureField,
  pictures: pictureField,
  clip: pictureField,
  preset: (param, { kind }) => radioField(param, kind.presets),
  size: sizeField,
  slider: sliderField,
  network: (param, { networks }) => networkField(param, networks),
  boolean: checkboxField,
  choice: (param) => selectField(param),
};

/** The form of a kind, not yet in the page. */
export function makeKindForm(kind, networks) {
  const makerOf = ({ control }) => MAKERS[control] ?? textField;
  const fields = new Map(kind.params.map((param) => [param.name, makerOf(param)(param, { kind, networks })]));
  const all = [...fields.values()];
  const pictures = all.filter((field) => isPicture(field.param));
  const required = pictures.filter((field) => field.param.required);
  const named = kind.primary_fields.map((name) => fields.get(name)).filter(Boolean);
  const needed = all.filter((field) => field.param.required && !isPicture(field.param) && !named.includes(field));
  const primary = [...named, ...needed];
  const rest = all.filter((field) => !required.includes(field) && !primary.includes(field));
  const fieldWith = (control) => all.find(({ param }) => param.control === control);

  const valuesOf = (preset) => kind.presets[preset]?.values ?? {};

  /** Tell every field the value that it has when left empty. */
  function showPreset() {
    const values = valuesOf(fieldWith("preset")?.get());
    for (const field of all) if (field.param.nullable) field.setPreset(values[field.param.name]);
  }

  /** Tell every field which network is chosen. */
  function showNetwork() {
    const card = networks.find(({ name }) => name === fieldWith("network")?.get());
    if (card) for (const field of all) field.setNetwork?.(card);
  }

  /** The values, and what is wrong with them: {params, problems: [{field, detail}]}. */
  function read() {
    const params = {};
    const problems = [];
    for (const [name, field] of fields) {
      try {
        const value = field.get();
        if (value !== undefined) params[name] = value;
        else if (field.param.required) {
          problems.push({ field: name, detail: isPicture(field.param) ? "Choose a picture first." : "Fill this in first." });
        }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        problems.push({ field: name, detail: error.message });
      }
      const detail = field.unusable?.();
      if (detail) problems.push({ field: name, detail });
    }
    return { params, problems };
  }

  function write(params) {
    const preset = fieldWith("preset");
    if (preset) {
      // Settings may be older than the service: a preset that it no longer has becomes its default.
      const value = params[preset.param.name];
      preset.set(value in kind.presets ? value : preset.param.default);
    }
    showPreset();
    for (const field of all) {
      if (field !== preset) field.set(params[field.param.name] ?? field.param.default);
    }
    showNetwork();
  }

  /** Show the settings of an old job. */
  function reuse(params) {
    const preset = valuesOf(params[fieldWith("preset")?.param.name]);
    const own = Object.entries(params).filter(([name, value]) => {
      if (!fields.has(name) || value === null) return false;
      // A job stores the values of empty fields too: the preset's, and equal shares.
      const { param } = fields.get(name);
      if (param.emptyMeans === "equal") return value.some((share) => share !== value[0]);
      return !(param.nullable && same(value, preset[name]));
    });
    write(Object.fromEntries(own));
  }

  function clearProblems() {
    for (const field of all) field.showProblem(null);
  }

  /** Show problems, each at its field, and focus the first. Returns the texts of those that name no field here. */
  function show(problems, advanced) {
    const others = [];
    const wrong = [];
    for (const { field: path, detail } of problems) {
      const field = path?.split(".").map((part) => fields.get(part)).find(Boolean);
      if (field) {
        field.showProblem(detail);
        wrong.push(field);
      } else {
        others.push(detail);
      }
    }
    if (wrong.some((field) => advanced.contains(field.element))) advanced.open = true;
    wrong[0]?.focus();
    return others;
  }

  return { kind, fields, pictures, required, primary, rest, read, write, reuse, show, showPreset, showNetwork, clearProblems };
}

/** Put a kind's fields into the page. */
export function showKindForm(form) {
  const put = (id, fields) =>
    document.getElementById(id).replaceChildren(...fields.map((field) => field.element));
  put("picture-fields", form.required);
  put("primary-fields", form.primary);
  put("advanced-fields", form.rest);
  document.getElementById("picture-fields").hidden = form.required.length === 0;
  document.getElementById("advanced").hidden = form.rest.length === 0;
  document.querySelector("#submit span").textContent = form.kind.submit_label;
  showText(document.getElementById("kind-summary"), form.kind.summary);
}
