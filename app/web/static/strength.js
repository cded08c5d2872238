/** A weight as a slider: powers of ten around the preset's value, which is what the middle stands for. */

import { el, freshId } from "./dom.js";
import { textField } from "./fields.js";
import { figure } from "./text.js";

/** The slider reaches this many powers of ten to either side. */
const DECADES = 2;

/** A weight field: the number is the truth, the slider beside it moves it. Empty is the preset's. */
export function strengthField(param) {
  const field = textField(param);
  let presets = null;
  const slider = el("input", {
    type: "range",
    min: -DECADES,
    max: DECADES,
    step: 0.05,
    id: freshId("strength"),
    "aria-label": `${param.title}, relative to the preset`,
    list: freshId("middle"),
  });
  const middle = el("datalist", { id: slider.getAttribute("list") }, el("option", { value: 0 }));
  const readout = el("output", { class: "readout", for: slider.id });
  const resetName = `Reset: ${param.title} as the preset has it`;
  const reset = el("button", { type: "button", class: "link", "aria-label": resetName }, "reset");

  function value() {
    return field.input.value === "" ? presets : field.input.valueAsNumber;
  }

  function render() {
    const factor = value() / presets;
    // A weight of 0 has no logarithm: the slider rests at its low end, and the number says 0.
    slider.value = factor > 0 ? Math.log10(factor) : -DECADES;
    const own = field.input.value !== "";
    const text = own ? `${figure(factor)} × the preset’s` : "as the preset has it";
    readout.textContent = text;
    slider.setAttribute("aria-valuetext", `${figure(value())}, ${text}`);
    reset.hidden = !own;
  }

  slider.addEventListener("input", () => {
    const power = slider.valueAsNumber;
    const factor = 10 ** power;
    field.input.value = power === 0 ? "" : figure(presets * factor);
    render();
  });
  field.input.addEventListener("input", render);
  reset.addEventListener("click", () => {
    field.set(null);
    render();
    field.input.dispatchEvent(new Event("input", { bubbles: true }));
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
    set(given) {
      field.set(given);
      render();
    },
    preset(given) {
      presets = given;
      field.preset(given);
      render();
    },
  };
}
