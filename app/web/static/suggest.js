/** Names that a person may mean, offered below a line of text by the browser itself. */

import { el, freshId } from "./dom.js";

/**
 * Offer names below an input; where it takes a list, for the part that is being written. Returns a function
 * that takes the names.
 */
export function suggestions(input, many) {
  const list = el("datalist", { id: freshId("names") });
  input.setAttribute("list", list.id);
  input.after(list);
  let names = [];
  let before = null;

  /** What stands before the part that is being written. */
  function start() {
    const comma = many ? input.value.lastIndexOf(",") : -1;
    return comma < 0 ? "" : `${input.value.slice(0, comma)}, `;
  }

  function render() {
    if (start() === before) return;
    before = start();
    list.replaceChildren(...names.map((name) => el("option", { value: before + name })));
  }

  input.addEventListener("input", render);
  return (next) => {
    names = next;
    before = null;
    render();
  };
}
