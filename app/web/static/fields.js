/**
 * Form fields made from params. Every field is {param, element, get, set, setPreset, showProblem, focus}:
 * `get()` returns the value to send, undefined to leave it out, or throws a RangeError; `set(value)` shows a
 * value, null for empty; `setPreset(value)` gives the value of an empty field; `showProblem(text)` takes null for
 * none. Some also have `setNetwork(card)`, called with the chosen network, and `unusable()`, which returns why the
 * value cannot be used yet, or null.
 */

import { el, newId, notifyInput, showText, withCode } from "./dom.js";
import { formatLayers, parseLayers, parseNames, parseNumber, parseNumbers } from "./schema.js";
import { addSuggestions } from "./suggestions.js";
import { formatNumber } from "./text.js";

/** Help and problem texts of one field, and the `aria-describedby` that ties a control to them. */
export function notes(description) {
  const help = el("p", { class: "help", id: newId("help") }, ...withCode(description));
  const problem = el("p", { class: "problem", id: newId("problem"), role: "alert", hidden: true });
  return { help, problem, describedBy: `${help.id} ${problem.id}` };
}

/** A `showProblem` that shows a text below a control and marks the control, or removes both. */
export function problemSetter(problem, ...controls) {
  return (text) => {
    showText(problem, text);
    for (const control of controls) {
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  };
}

function format(value) {
  if (typeof value === "number") return formatNumber(value);
  return typeof value === "object" ? formatLayers(value) : String(value);
}

const asText = (text) => text.trim();

/** Controls that are a number input. */
const NUMERIC = new Set(["integer", "number", "size", "slider"]);

/** The object that a text is as JSON; throws a RangeError. Its braces may be left out. */
function parseObject(text) {
  for (const json of [text, `{${text}}`]) {
    try {
      const value = JSON.parse(json);
      if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  throw new RangeError('Write this as JSON, such as {"width": 0.5}.');
}

const READERS = {
  object: parseObject,
  ...Object.fromEntries([...NUMERIC].map((control) => [control, parseNumber])),
  numbers: parseNumbers,
  channels: parseNumbers,
  layers: parseLayers,
  extents: parseLayers,
  names: parseNames,
  classes: parseNames,
};

const formatList = (value) => [value].flat().join(", ");

const WRITERS = {
  object: JSON.stringify,
  numbers: formatList,
  channels: formatList,
  names: formatList,
  classes: formatList,
  layers: formatLayers,
  extents: formatLayers,
};

const layersOf = (card) => card.layers.map((layer) => layer.name);
const classesOf = (card) => card.classes;
/** Names of the chosen network that a control suggests. */
const SUGGESTED = { layer: layersOf, layers: layersOf, class: classesOf, classes: classesOf };
const WIDE = new Set(["layers", "extents", "names", "classes", "class", "object", "job"]);

/** A text input: numbers, lists, layers, anything without choices. */
export function textField(param) {
  const { help, problem, describedBy } = notes(param.description);
  const numeric = NUMERIC.has(param.control);
  const integer = numeric && param.type === "integer";
  const input = el("input", {
    id: newId(param.name),
    name: param.name,
    type: numeric ? "number" : "text",
    step: numeric ? (integer ? 1 : "any") : null,
    min: param.minimum,
    max: param.maximum,
    inputmode: numeric ? (integer ? "numeric" : "decimal") : null,
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": describedBy,
  });
  const element = el(
    "div",
    { class: WIDE.has(param.control) ? "field wide" : "field", "data-field": param.name },
    el("label", { for: input.id }, param.title),
    input,
    problem,
    help,
  );
  const namesOf = SUGGESTED[param.control];
  const suggest = namesOf && addSuggestions(input, param.control in READERS);
  return {
    param,
    element,
    input,
    get() {
      if (input.validity.badInput) throw new RangeError("This is not a number.");
      return input.value.trim() === "" ? undefined : (READERS[param.control] ?? asText)(input.value);
    },
    set(value) {
      input.value = value === null ? "" : (WRITERS[param.control] ?? String)(value);
    },
    setPreset(value) {
      input.placeholder = value == null ? "" : param.control === "object" ? JSON.stringify(value) : format(value);
    },
    setNetwork: (card) => suggest?.(namesOf(card)),
    showProblem: problemSetter(problem, input),
    focus: () => input.focus(),
  };
}

/** A checkbox. */
export function checkboxField(param) {
  const { help, problem, describedBy } = notes(param.description);
  const input = el("input", {
    type: "checkbox",
    id: newId(param.name),
    name: param.name,
    "aria-describedby": describedBy,
  });
  return {
    param,
    element: el(
      "div",
      { class: "field", "data-field": param.name },
      el("label", { class: "checkbox", for: input.id }, input, ` ${param.title}`),
      problem,
      help,
    ),
    get: () => input.checked,
    set(value) {
      input.checked = value === true;
    },
    setPreset() {},
    showProblem: problemSetter(problem, input),
    focus: () => input.focus(),
  };
}

/** One of several choices; a nullable one can be left to the preset. */
export function selectField(param, options = param.choices.map((name) => ({ name, title: name }))) {
  const { help, problem, describedBy } = notes(param.description);
  const select = el("select", { id: newId(param.name), name: param.name, "aria-describedby": describedBy });
  const empty = param.nullable ? el("option", { value: "" }) : null;
  select.append(
    ...(empty ? [empty] : []),
    ...options.map(({ name, title }) => el("option", { value: name }, title)),
  );
  const summaries = new Map(options.map(({ name, summary }) => [name, summary]));
  const explain = () => {
    help.replaceChildren(...withCode(summaries.get(select.value) ?? param.description));
  };
  select.addEventListener("change", explain);
  return {
    param,
    element: el(
      "div",
      { class: param.control === "network" ? "field wide" : "field", "data-field": param.name },
      el("label", { for: select.id }, param.title),
      select,
      problem,
      help,
    ),
    value: () => select.value,
    // As the schema has it, which may be a number.
    get: () => (select.value === "" ? undefined : (param.choices.find((choice) => String(choice) === select.value) ?? select.value)),
    set(value) {
      select.value = value ?? "";
      explain();
    },
    setPreset(value) {
      if (empty) empty.textContent = value == null ? (param.emptyMeans ?? "automatic") : `preset’s: ${value}`;
    },
    showProblem: problemSetter(problem, select),
    focus: () => select.focus(),
  };
}

/** A few choices side by side. `summaries` ({name: {summary}}) explain the chosen one. */
export function radioField(param, summaries = {}) {
  const { help, problem, describedBy } = notes(param.description);
  const group = newId(param.name);
  const radios = param.choices.map((choice) =>
    el("input", { type: "radio", name: group, value: choice, id: newId(group), onchange: explain }),
  );
  function explain() {
    const chosen = radios.find((radio) => radio.checked)?.value;
    help.replaceChildren(...withCode(summaries[chosen]?.summary ?? param.description));
  }
  return {
    param,
    element: el(
      "fieldset",
      { class: "field", "data-field": param.name, "aria-describedby": describedBy },
      el("legend", {}, param.title),
      el(
        "div",
        { class: "choices" },
        ...radios.flatMap((radio) => [radio, el("label", { for: radio.id }, radio.value)]),
      ),
      problem,
      help,
    ),
    get: () => radios.find((radio) => radio.checked)?.value,
    set(value) {
      for (const radio of radios) radio.checked = radio.value === value;
      explain();
    },
    setPreset() {},
    showProblem: problemSetter(problem, ...radios),
    focus: () => (radios.find((radio) => radio.checked) ?? radios[0]).focus(),
  };
}

/** A size in pixels, with buttons for multiples of the default. */
export function sizeField(param) {
  const field = textField(param);
  const sizes = [0.5, 1, 2, 4]
    .map((factor) => param.default * factor)
    .filter((size) => size >= param.minimum && size <= param.maximum);
  const buttons = sizes.map((size) =>
    el(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-label": `${param.title} ${size}`,
        onclick() {
          field.set(size);
          notifyInput(field.input);
        },
      },
      String(size),
    ),
  );
  const markPressed = () => {
    for (const [i, button] of buttons.entries()) {
      button.setAttribute("aria-pressed", String(Number(field.input.value) === sizes[i]));
    }
  };
  const line = el("div", { class: "line" });
  field.input.replaceWith(line);
  line.append(field.input, ...buttons);
  field.input.addEventListener("input", markPressed);
  return {
    ...field,
    set(value) {
      field.set(value);
      markPressed();
    },
  };
}
