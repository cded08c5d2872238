/** The form of one kind of job: its fields, made from its schema, and what is written in them. */

import { say } from "./dom.js";
import { flagField, radioField, selectField, sizeField, textField } from "./fields.js";
import { isPicture } from "./kinds.js";
import { pictureField } from "./pictures.js";
import { same } from "./schema.js";
import { strengthField } from "./strength.js";
import { networkField } from "./weights.js";

/** Params with a control of their own wherever they appear. */
const OWN = {
  preset: (param, kind) => radioField(param, kind.presets),
  size: sizeField,
  style_weight: strengthField,
};

function fieldOf(param, kind, networks) {
  if (isPicture(param)) return pictureField(param);
  if (OWN[param.name] && (param.name !== "preset" || param.choices.length)) {
    return OWN[param.name](param, kind);
  }
  if (param.control === "network") return networkField(param, networks);
  if (param.control === "boolean") return flagField(param);
  return param.control === "choice" ? selectField(param) : textField(param);
}

/** The form of a kind, not yet in the page. */
export function makeRoom(kind, networks) {
  const fields = new Map(kind.params.map((param) => [param.name, fieldOf(param, kind, networks)]));
  const all = [...fields.values()];
  const wells = all.filter((field) => isPicture(field.param));
  const isMain = ({ param }) => kind.foremost.includes(param.name) || (param.required && !isPicture(param));
  const required = wells.filter((field) => field.param.required);
  const main = [
    ...kind.foremost.map((name) => fields.get(name)).filter(Boolean),
    ...all.filter((field) => isMain(field) && !kind.foremost.includes(field.param.name)),
  ];
  const rest = all.filter((field) => !required.includes(field) && !main.includes(field));

  const presetOf = (params) => kind.presets[params.preset]?.values ?? {};

  /** Tell every field what empty stands for. */
  function showPreset() {
    const values = presetOf({ preset: fields.get("preset")?.get() });
    for (const field of all) if (field.param.nullable) field.preset(values[field.param.name]);
  }

  /** Tell every field which network is chosen. */
  function showNetwork() {
    const card = networks.find((network) => network.name === fields.get("network")?.get());
    if (card) for (const field of all) field.learn?.(card);
  }

  /** The params as filled in, and what is wrong with them: {params, problems: [{field, detail}]}. */
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
      const lack = field.lacking?.();
      if (lack) problems.push({ field: name, detail: lack });
    }
    return { params, problems };
  }

  function write(params) {
    const preset = fields.get("preset");
    // Settings may be older than the service: a preset that it does not know any more is its default.
    preset?.set(params.preset in kind.presets ? params.preset : preset.param.default);
    showPreset();
    for (const field of all) {
      if (field !== preset) field.set(params[field.param.name] ?? field.param.default);
    }
    showNetwork();
  }

  /** Show the settings of an old job. */
  function reuse(params) {
    const preset = presetOf(params);
    const own = Object.entries(params).filter(([name, value]) => {
      if (!fields.has(name) || value === null) return false;
      // A job stores what empty came to: the preset's values, and an equal share for each style.
      if (name === "style_weights") return value.some((share) => share !== value[0]);
      return !(fields.get(name).param.nullable && same(value, preset[name]));
    });
    write(Object.fromEntries(own));
  }

  function clearProblems() {
    for (const field of all) field.complain(null);
  }

  /** Show problems, each at its field, and go to the first. Returns the texts that name no field of this form. */
  function show(problems, advanced) {
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
    if (blamed.some((field) => advanced.contains(field.element))) advanced.open = true;
    blamed[0]?.focus();
    return strays;
  }

  return { kind, fields, wells, required, main, rest, read, write, reuse, show, showPreset, showNetwork, clearProblems };
}

/** Put a room's fields into the page's form, in the place of another's. */
export function enter(room) {
  const elements = (fields) => fields.map((field) => field.element);
  const put = (id, fields) => document.getElementById(id).replaceChildren(...elements(fields));
  put("wells", room.required);
  put("main-fields", room.main);
  put("advanced-fields", room.rest);
  document.getElementById("wells").hidden = room.required.length === 0;
  document.getElementById("advanced").hidden = room.rest.length === 0;
  document.querySelector("#go span").textContent = room.kind.action;
  say(document.getElementById("kind-summary"), room.kind.summary);
}
