/** Names offered for a text input, in a datalist. */

import { el, newId } from "./dom.js";

/** Offer names for an input; in a list (`many`), for its last part. Returns a function that sets the names. */
export function addSuggestions(input, many) {
  const list = el("datalist", { id: newId("names") });
  input.setAttribute("list", list.id);
  input.after(list);
  let names = [];
  let prefix = null;

  /** The text before the part that is being written. */
  function prefixNow() {
    const comma = many ? input.value.lastIndexOf(",") : -1;
    return comma < 0 ? "" : `${input.value.slice(0, comma)}, `;
  }

  function render() {
    if (prefixNow() === prefix) return;
    prefix = prefixNow();
    list.replaceChildren(...names.map((name) => el("option", { value: prefix + name })));
  }

  input.addEventListener("input", render);
  return (next) => {
    names = next;
    prefix = null;
    render();
  };
}
