/** A selection among the buttons of a list: a click changes one, with Shift all from the last one on. */

/**
 * `list` has items with `data-position`, each with one button. `onchange(count)` is called when the selection changes.
 * Returns {get(), all(), clear()}.
 */
export function makeSelection(list, onchange) {
  const selected = new Set();
  let last = null;

  const positionOf = (item) => Number(item.dataset.position);

  function mark(item, on) {
    if (on) selected.add(positionOf(item));
    else selected.delete(positionOf(item));
    item.querySelector("button").setAttribute("aria-pressed", String(on));
  }

  list.addEventListener("click", (event) => {
    const item = event.target.closest("[data-position]");
    if (!item) return;
    const on = !selected.has(positionOf(item));
    const items = [...list.children];
    const [from, to] = [items.indexOf(last), items.indexOf(item)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const each of items.slice(from, to + 1)) mark(each, on);
    else mark(item, on);
    last = item;
    onchange(selected.size);
  });

  return {
    get: () => [...selected],
    /** Select all that are in the list. */
    all() {
      for (const item of list.children) mark(item, true);
      onchange(selected.size);
    },
    clear() {
      selected.clear();
      last = null;
      for (const item of list.children) item.querySelector("button").setAttribute("aria-pressed", "false");
      onchange(0);
    },
  };
}
