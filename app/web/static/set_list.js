/** The sets of pictures: look into them, rename and delete them. */

import { deleteDataset, renameDataset } from "./api.js";
import { el } from "./dom.js";
import { entryElement, entryList } from "./entry.js";
import { openSetDialog } from "./set_dialog.js";
import { knownSets, onSets, refreshSets } from "./sets.js";
import { ago, counted, fileSize } from "./text.js";

function entryOf(set) {
  const { name, id, members, bytes, created_at: created, source, state } = set;
  const facts = [counted(members, "picture"), fileSize(bytes), state === "open" ? "not closed yet" : null, created ? ago(created) : null];
  return entryElement({
    name,
    facts: facts.filter(Boolean).join(", "),
    confirm: `Delete ${name} with the pictures that came with it? Networks that were trained on it stay.`,
    actions: [el("button", { type: "button", class: "link", onclick: () => openSetDialog(id) }, "Look at it")],
    onrename: source === "upload" ? async (next) => {
      await renameDataset(id, next);
      await refreshSets();
    } : null,
    async onremove() {
      await deleteDataset(id);
      await refreshSets();
    },
  });
}

/** The section of the page. */
export function openSetList() {
  const list = el("ul", { class: "entries" });
  const showEntries = entryList(list, ({ id }) => id, entryOf);
  const total = el("p", { class: "help", role: "status" });
  const element = el("section", { class: "shelf", "aria-labelledby": "sets-title" }, el("h2", { id: "sets-title" }, "Sets"), total, list);

  function render() {
    const sets = knownSets();
    total.textContent = sets.length
      ? `${counted(sets.length, "set")}, ${fileSize(sets.reduce((sum, { bytes }) => sum + bytes, 0))}.`
      : "None yet: drop folders of pictures, or a ZIP, where a form asks for a set.";
    showEntries(sets);
  }

  onSets(render);
  render();
  return element;
}
