/**
 * Form controls made from params. Every field is {param, element, get, set, preset, complain, focus}:
 * `get()` is the value to send, undefined to leave it out, and throws a RangeError that says what cannot be
 * read; `set(value)` shows a value, null for empty; `preset(value)` tells what empty stands for. Some also have
 * `learn(card)`, which tells them the network that is chosen.
 */

import { el, freshId, say } from "./dom.js";
import { formatLayers, parseLayers, parseNames, parseNumber, parseNumbers } from "./schema.js";
import { suggestions } from "./suggest.js";
import { figure } from "./text.js";

/** Help and problem texts of one field, and the attributes that tie a control to them. */
export function notes(description) {
  const help = el("p", { class: "help", id: freshId("help") }, description);
  const problem = el("p", { class: "problem", id: freshId("problem"), role: "alert", hidden: true });
  return { help, problem, describedBy: `${help.id} ${problem.id}` };
}

/** A `complain` that shows a problem below a control and marks the control, or takes both away. */
export function complainer(problem, ...controls) {
  return (text) => {
    say(problem, text);
    for (const control of controls) {
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  };
}

function shown(value) {
  if (typeof value === "number") return figure(value);
  return typeof value === "object" ? formatLayers(value) : String(value);
}

const asText = (text) => text.trim();

const READERS = {
  integer: parseNumber,
  number: parseNumber,
  numbers: parseNumbers,
  channels: parseNumbers,
  layers: parseLayers,
  extents: parseLayers,
  names: parseNames,
  classes: parseNames,
};

const listed = (value) => [value].flat().join(", ");

const WRITERS = {
  numbers: listed,
  channels: listed,
  names: listed,
  classes: listed,
  layers: formatLayers,
  extents: formatLayers,
};

const layersOf = (card) => card.layers.map((layer) => layer.name);
const classesOf = (card) => card.classes;
/** What a network knows that a line of text may name. */
const KNOWN = { layer: layersOf, layers: layersOf, class: classesOf, classes: classesOf };
const WIDE = new Set(["layers", "extents", "names", "classes", "class"]);

/** A line of text: numbers, lists, layers, anything without choices. */
export function textField(param) {
  const { help, problem, describedBy } = notes(param.description);
  const numeric = param.control === "integer" || param.control === "number";
  const input = el("input", {
    id: freshId(param.name),
    name: param.name,
    type: numeric ? "number" : "text",
    step: numeric ? (param.control === "integer" ? 1 : "any") : null,
    min: param.minimum,
    max: param.maximum,
    inputmode: numeric ? (param.control === "integer" ? "numeric" : "decimal") : null,
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
  const known = KNOWN[param.control];
  const suggest = known && suggestions(input, param.control in READERS);
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
    preset(value) {
      input.placeholder = value == null ? "" : shown(value);
    },
    learn: (card) => suggest?.(known(card)),
    complain: complainer(problem, input),
    focus: () => input.focus(),
  };
}

/** Yes or no. */
export function flagField(param) {
  const { help, problem, describedBy } = notes(param.description);
  const input = el("input", {
    type: "checkbox",
    id: freshId(param.name),
    name: param.name,
    "aria-describedby": describedBy,
  });
  return {
    param,
    element: el(
      "div",
      { class: "field", "data-field": param.name },
      el("label", { class: "flag", for: input.id }, input, ` ${param.title}`),
      problem,
      help,
    ),
    get: () => input.checked,
    set(value) {
      input.checked = value === true;
    },
    preset() {},
    complain: complainer(problem, input),
    focus: () => input.focus(),
  };
}

/** One of several choices, the preset's among them where it may be left empty. */
export function selectField(param, options = param.choices.map((name) => ({ name, title: name }))) {
  const { help, problem, describedBy } = notes(param.description);
  const select = el("select", { id: freshId(param.name), name: param.name, "aria-describedby": describedBy });
  const empty = param.nullable ? el("option", { value: "" }) : null;
  select.append(
    ...(empty ? [empty] : []),
    ...options.map(({ name, title }) => el("option", { value: name }, title)),
  );
  const summaries = new Map(options.map(({ name, summary }) => [name, summary]));
  const explain = () => {
    help.textContent = summaries.get(select.value) ?? param.description;
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
    get: () => (select.value === "" ? undefined : select.value),
    set(value) {
      select.value = value ?? "";
      explain();
    },
    preset(value) {
      if (empty) empty.textContent = value == null ? "automatic" : `preset’s: ${value}`;
    },
    complain: complainer(problem, select),
    focus: () => select.focus(),
  };
}

/** A few choices side by side. `summaries` explains the chosen one. */
export function radioField(param, summaries = {}) {
  const { help, problem, describedBy } = notes(param.description);
  const group = freshId(param.name);
  const radios = param.choices.map((choice) =>
    el("input", { type: "radio", name: group, value: choice, id: freshId(group), onchange: explain }),
  );
  function explain() {
    const chosen = radios.find((radio) => radio.checked)?.value;
    help.textContent = summaries[chosen]?.summary ?? param.description;
  }
  return {
    param,
    element: el(
      "fieldset",
      { class: "field", "data-field": param.name, "aria-describedby": describedBy },
      el("legend", {}, param.title),
      el(
        "div",
        { class: "segments" },
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
    preset() {},
    complain: complainer(problem, ...radios),
    focus: () => (radios.find((radio) => radio.checked) ?? radios[0]).focus(),
  };
}

/** A size in pixels with a few round ones around the default to press. */
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
          field.input.dispatchEvent(new Event("input", { bubbles: true }));
        },
      },
      String(size),
    ),
  );
  const press = () => {
    for (const [i, button] of buttons.entries()) {
      button.setAttribute("aria-pressed", String(Number(field.input.value) === sizes[i]));
    }
  };
  const line = el("div", { class: "line" });
  field.input.replaceWith(line);
  line.append(field.input, ...buttons);
  field.input.addEventListener("input", press);
  return {
    ...field,
    set(value) {
      field.set(value);
      press();
    },
  };
}
