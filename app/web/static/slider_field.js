/** A positive number with a slider: powers of ten around the preset's value, which is the slider's middle. */

import { el, newId, notifyInput } from "./dom.js";
import { textField } from "./fields.js";
import { formatNumber } from "./text.js";

/** A number field with a slider `param.decades` powers of ten to either side. Empty: the preset's value. */
export function sliderField(param) {
  const field = textField(param);
  const { decades } = param;
  let preset = null;
  const slider = el("input", {
    type: "range",
    min: -decades,
    max: decades,
    step: 0.05,
    id: newId("slider"),
    "aria-label": `${param.title}, relative to the preset`,
    list: newId("middle"),
  });
  const middle = el("datalist", { id: slider.getAttribute("list") }, el("option", { value: 0 }));
  const readout = el("output", { class: "readout", for: slider.id });
  const resetName = `Reset: ${param.title} as the preset has it`;
  const reset = el("button", { type: "button", class: "link", "aria-label": resetName }, "reset");

  function value() {
    return field.input.value === "" ? preset : field.input.valueAsNumber;
  }

  function render() {
    const factor = value() / preset;
    // 0 has no logarithm: the slider stays at its low end.
    slider.value = factor > 0 ? Math.log10(factor) : -decades;
    const isSet = field.input.value !== "";
    const text = isSet ? `${formatNumber(factor)} × the preset’s` : "as the preset has it";
    readout.textContent = text;
    slider.setAttribute("aria-valuetext", `${formatNumber(value())}, ${text}`);
    reset.hidden = !isSet;
  }

  slider.addEventListener("input", () => {
    const power = slider.valueAsNumber;
    const factor = 10 ** power;
    field.input.value = power === 0 ? "" : formatNumber(preset * factor);
    render();
  });
  field.input.addEventListener("input", render);
  reset.addEventListener("click", () => {
    field.set(null);
    render();
    notifyInput(field.input);
    slider.focus();
  });

  const line = el("div", { class: "line" });
  field.input.replaceWith(line);
  line.append(slider, middle, field.input);
  const label = field.element.querySelector("label");
  const heading = el("div", { class: "heading" });
  label.replaceWith(heading);
  heading.append(label, readout, reset);
  return {
    ...field,
    set(next) {
      field.set(next);
      render();
    },
    setPreset(next) {
      preset = next;
      field.setPreset(next);
      render();
    },
  };
}
