/** The form of one kind of job: its fields, made from its schema, and their values. */

import { datasetField } from "./dataset_field.js";
import { showText } from "./dom.js";
import { checkboxField, radioField, selectField, sizeField, textField } from "./fields.js";
import { continuedParam, isPicture, namesPicture } from "./kinds.js";
import { networkField } from "./network_field.js";
import { findNetwork } from "./networks.js";
import { pictureField } from "./picture_field.js";
import { showSamples } from "./samples.js";
import { same } from "./schema.js";
import { sliderField } from "./slider_field.js";

/** Makers of fields by control; all others are lines of text. */
const MAKERS = {
  picture: pictureField,
  pictures: pictureField,
  clip: pictureField,
  dataset: datasetField,
  preset: (param, kind) => radioField(param, kind.presets),
  size: sizeField,
  slider: sliderField,
  network: networkField,
  boolean: checkboxField,
  choice: (param) => selectField(param),
};

const PICTURE_MISSING = "Choose a picture first.";
const PICTURES_MISSING = "Choose pictures first.";
/** What is said of a required field that is empty, by control. */
const MISSING = {
  picture: PICTURE_MISSING,
  pictures: PICTURE_MISSING,
  clip: PICTURE_MISSING,
  dataset: "Choose a set first.",
};

/** The form of a kind, not yet in the page. */
export function makeKindForm(kind) {
  const makerOf = ({ control }) => MAKERS[control] ?? textField;
  const [single, several] = kind.arguments ?? [];
  const shown = kind.params.filter(({ name }) => name !== single);
  const fields = new Map(shown.map((param) => [param.name, makerOf(param)(param, kind)]));
  // Params for one picture and for several are one field, whose value goes by its number.
  if (single) fields.set(single, fields.get(several));
  const all = [...new Set(fields.values())];
  const pictures = all.filter((field) => isPicture(field.param));
  const named = kind.primary_fields.map((name) => fields.get(name)).filter(Boolean);
  /** Pictures that the form shows first. */
  const main = pictures.filter((field) => field.param.required || field.param.name === several || named.includes(field));
  const needed = all.filter((field) => field.param.required && !isPicture(field.param) && !named.includes(field));
  const isSet = (field) => field.param.control === "dataset";
  const settings = [...named, ...needed].filter((field) => !isPicture(field.param));
  const primary = [...settings.filter(isSet), ...settings.filter((field) => !isSet(field))];
  const dataset = primary.find(isSet) ?? null;
  const rest = all.filter((field) => !main.includes(field) && !primary.includes(field));
  const fieldWith = (control) => all.find(({ param }) => param.control === control);

  const valuesOf = (preset) => kind.presets[preset]?.values ?? {};

  /** Tell every field the value that it has when left empty. */
  function showPreset() {
    const values = valuesOf(fieldWith("preset")?.get());
    for (const field of all) if (field.param.nullable) field.setPreset(values[field.param.name]);
  }

  /** Tell every field which network is chosen, by the preset if the field is empty. */
  function showNetwork() {
    const field = fieldWith("network");
    const card = field && findNetwork(field.get() ?? valuesOf(fieldWith("preset")?.get())[field.param.name]);
    if (card) for (const field of all) field.setNetwork?.(card);
  }

  /** Fields for many pictures by param, in the place of those for one; null: the form is for one job. */
  let piles = null;
  const shownFields = () => all.filter(({ param: { name } }) => !piles?.has(name));

  /** References of many pictures by param, or null, with what is wrong with them. */
  function readPiles(problems) {
    if (!piles) return null;
    const over = {};
    for (const [name, pile] of piles) {
      try {
        over[name] = pile.get();
        if (!over[name]) problems.push({ field: name, detail: PICTURES_MISSING });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        problems.push({ field: name, detail: error.message });
      }
    }
    return over;
  }

  /**
   * The values, and what is wrong with them: {params, over, problems: [{field, detail}]}. `over` has the references of
   * many pictures by param, if the form is for many jobs, else it is null.
   */
  function read() {
    const params = {};
    const problems = [];
    const over = readPiles(problems);
    for (const field of shownFields()) {
      const { name } = field.param;
      try {
        const value = field.get();
        if (name === several && value?.length === 1) params[single] = value[0];
        else if (value !== undefined) params[name] = value;
        else if (field.param.required) {
          problems.push({ field: name, detail: MISSING[field.param.control] ?? "Fill this in first." });
        }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        problems.push({ field: name, detail: error.message });
      }
      const detail = field.unusable?.();
      if (detail) problems.push({ field: name, detail });
    }
    // What is left out is then as it was in that job, whereas here it was emptied.
    if (params[continuedParam(kind.kind)?.name] !== undefined) {
      for (const { param } of shownFields()) if (param.nullable) params[param.name] ??= null;
    }
    return { params, over, problems };
  }

  /** The value of a field among params, or null. */
  function valueIn(params, { param: { name } }) {
    return params[name] ?? (name === several ? params[single] : null) ?? null;
  }

  /** Show values in all fields but those that `stays(field)` names. */
  function write(params, stays = () => false) {
    const preset = fieldWith("preset");
    if (preset) {
      // Settings may be older than the service: a preset that it no longer has becomes its default.
      const value = params[preset.param.name];
      preset.set(value in kind.presets ? value : preset.param.default);
    }
    showPreset();
    for (const field of all) {
      if (field !== preset && !stays(field)) field.set(valueIn(params, field) ?? field.param.default);
    }
    showNetwork();
  }

  /**
   * Show the settings of an old job. With `keepPictures` those that the form has stay: of the job's only such as are shown
   * first are then taken, where one is missing, since masks and the like go with its own.
   */
  function reuse(params, { keepPictures = false } = {}) {
    const isKept = keepPictures && pictures.some((field) => !field.isEmpty());
    const stays = (field) => isKept && namesPicture(field.param) && !(main.includes(field) && field.isEmpty());
    const preset = valuesOf(params[fieldWith("preset")?.param.name]);
    const own = Object.entries(params).filter(([name, value]) => {
      if (!fields.has(name) || value === null) return false;
      // A job stores the values of empty fields too: the preset's, and equal shares.
      const { param } = fields.get(name);
      if (param.emptyMeans === "equal") return value.some((share) => share !== value[0]);
      return !(param.nullable && same(value, preset[name]));
    });
    write(Object.fromEntries(own), stays);
  }

  function clearProblems() {
    for (const field of [...all, ...(piles?.values() ?? [])]) field.showProblem(null);
  }

  /**
   * Show problems, each at its field. Those of a form that was sent: the first gets the focus, if the form is still shown;
   * else, of one that is still being filled in, those of pictures that are not chosen yet are left out. Returns the texts of
   * those that name no field here.
   */
  function show(problems, advanced, { isSent = true, isShown = true } = {}) {
    const others = [];
    const wrong = [];
    for (const { field: path, detail } of problems) {
      const field = path?.split(".").map((part) => piles?.get(part) ?? fields.get(part)).find(Boolean);
      if (!isSent && field?.isEmpty?.()) continue;
      if (field) {
        field.showProblem(detail);
        wrong.push(field);
      } else {
        others.push(detail);
      }
    }
    if (isSent && isShown && wrong.some((field) => advanced.contains(field.element))) advanced.open = true;
    if (isSent && isShown) wrong[0]?.focus();
    return others;
  }

  return {
    kind,
    fields,
    pictures,
    main,
    dataset,
    primary,
    rest,
    read,
    write,
    reuse,
    show,
    showPreset,
    showNetwork,
    clearProblems,
    /** The fields for pictures that are shown first. */
    pictureFields: () => main.map((field) => piles?.get(field.param.name) ?? field),
    /** Fields whose pictures are uploaded before the form is sent. */
    uploading: () => [...pictures.filter(({ param: { name } }) => !piles?.has(name)), ...(piles?.values() ?? [])],
    /** Put fields for many pictures, by param, in the place of those for one; null: put these back. */
    setPiles(next) {
      piles = next;
    },
  };
}

/** Put a kind's fields into the page. */
export function showKindForm(form) {
  const put = (id, fields) =>
    document.getElementById(id).replaceChildren(...fields.map((field) => field.element));
  put("picture-fields", form.pictureFields());
  put("primary-fields", form.primary);
  put("advanced-fields", form.rest);
  document.getElementById("picture-fields").hidden = form.main.length === 0;
  showSamples(form.pictureFields());
  document.getElementById("advanced").hidden = form.rest.length === 0;
  document.querySelector("#submit span").textContent = form.kind.submit_label;
  showText(document.getElementById("kind-summary"), form.kind.summary);
}
