/** A set on one sheet: its pictures by class and part; other labels make a new set of the same pictures. */

import { getDataset, getStatistics, listMembers, Problem, relabelDataset, Unreachable } from "./api.js";
import { attempt } from "./attempt.js";
import { classBars, PART_TITLES, partLegend, PARTS, sizeElements, warningElements } from "./class_bars.js";
import { openDialog } from "./dialog.js";
import { el, newId, showText } from "./dom.js";
import { tileUrl } from "./jobs.js";
import { requestKeys } from "./keys.js";
import { askBeforeLeaving } from "./leaving.js";
import { makeSelection } from "./selection.js";
import { knownSets, updateSets } from "./sets.js";
import { counted, freeNameOf } from "./text.js";

/** Pictures that are shown at a time. */
const AT_A_TIME = 300;
const MAX_LABEL = 100;

/** In the place of a label: the new set is without this picture. */
const LEFT_OUT = Symbol("left out");

/** A set as its class list shows it, with labels that are not saved yet. */
function relabelled(set, members, changes) {
  if (changes.size === 0) return set;
  const counts = new Map();
  for (const { position, label } of members) {
    const now = changes.has(position) ? changes.get(position) : label;
    if (now !== LEFT_OUT) counts.set(now, (counts.get(now) ?? 0) + 1);
  }
  // In which part a picture of the new set will be is decided when it is made.
  const labels = [...counts].map(([label, count]) => ({ label, members: count, parts: null }));
  const last = (label) => (label === null ? 1 : 0);
  labels.sort((a, b) => last(a.label) - last(b.label) || a.label.localeCompare(b.label));
  return { ...set, labels, parts: null };
}

/** Open the sheet of a set. `onmade(name)` is called with the name of a set that is made by other labels. */
export async function openSetDialog(reference, onmade = () => {}) {
  const side = el("div", { class: "sheet-side" });
  const chips = el("div", { class: "sheet-parts", role: "group", "aria-label": "Part of the set" });
  const sheet = el("ul", { class: "sheet" });
  const more = el("button", { type: "button", class: "button", hidden: true, onclick: () => showMore() }, "Show more");
  const status = el("p", { class: "help", role: "status" }, "Reading");
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const labels = el("datalist", { id: newId("labels") });
  const input = el("input", { type: "text", id: newId("label"), list: labels.id, maxlength: MAX_LABEL, autocomplete: "off", placeholder: "label" });
  const give = el("button", { type: "submit", class: "button" }, "Give");
  const leaveOut = el("button", { type: "button", class: "button", onclick: () => change(LEFT_OUT) }, "Leave out");
  const nothing = el("button", { type: "button", class: "link", onclick: () => selection.clear() }, "Select none");
  const form = el("form", { class: "relabel" }, el("label", { for: input.id }, "Give them the label"), input, labels, give, leaveOut, nothing);
  const name = el("input", { type: "text", id: newId("set-name"), maxlength: 64, autocomplete: "off", spellcheck: "false" });
  const save = el("button", { type: "submit", class: "primary" }, "Save");
  const saving = el("form", { class: "relabel", hidden: true }, el("label", { for: name.id }, "Save as a new set named"), name, save);
  const dialog = openDialog({ title: "Pictures of the set", name: "set-dialog", body: [side, el("div", { class: "sheet-main" }, chips, sheet, more)], foot: [status, problem, form, saving], mayClose, onclose: () => letLeave() });
  const selection = makeSelection(sheet, showSelection);
  const keys = requestKeys();
  form.hidden = true;
  let set = null;
  let members = [];
  let statistics = null;
  /** New labels by position. */
  const changes = new Map();
  let label = null;
  let part = null;
  let shown = 0;
  let warned = false;
  let isSaving = false;
  /** Ends the question before the page is left, which is asked while changes are not saved; null: it is not asked. */
  let askLeaving = null;

  /** Changes are lost by closing twice, not by closing once. */
  function mayClose() {
    const isSure = warned || changes.size === 0;
    if (!isSure) showText(problem, isSaving ? "The changes are being saved." : "The changes are not saved: close again to drop them.");
    warned = true;
    return isSure;
  }

  const labelOf = ({ position, label: own }) => (changes.has(position) ? changes.get(position) : own);
  const matching = () => members.filter((member) => (label === null || labelOf(member) === label) && (part === null || member.part === part));

  function tile(member) {
    const now = labelOf(member);
    const image = el("img", { src: tileUrl(member.url), alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    const title = now === LEFT_OUT ? "left out" : (now ?? "no label");
    const words = `${member.name}, ${title}${member.part ? `, ${PART_TITLES[member.part]}` : ""}`;
    return el(
      "li",
      { "data-position": member.position, "data-changed": changes.has(member.position), "data-left-out": now === LEFT_OUT },
      el("button", { type: "button", "aria-pressed": "false", title: words, "aria-label": words }, image, el("span", {}, title)),
    );
  }

  function showMore() {
    const all = matching();
    const next = all.slice(shown, shown + AT_A_TIME);
    sheet.append(...next.map(tile));
    shown += next.length;
    more.hidden = shown >= all.length;
  }

  function showSelection(count) {
    form.hidden = count === 0;
    const chosen = count ? `${counted(count, "picture")} selected` : counted(matching().length, "picture");
    status.textContent = [chosen, changes.size ? `${counted(changes.size, "change")}, not saved yet` : null, count ? null : "choose some to give them another label"].filter(Boolean).join("; ");
  }

  function render() {
    const current = relabelled(set, members, changes);
    const choose = (next) => {
      label = next;
      render();
    };
    side.replaceChildren(
      ...[partLegend(current)].filter(Boolean),
      classBars(current, { onchoose: choose, chosen: label }),
      ...(changes.size ? [] : warningElements(statistics)),
      ...sizeElements(statistics),
    );
    const chip = (value, title) => el("button", { type: "button", class: "chip", "aria-pressed": String(part === value), onclick: () => { part = value; render(); } }, title);
    const all = el("button", { type: "button", class: "link", onclick: () => selection.all() }, "Select these");
    chips.replaceChildren(chip(null, "all"), ...(set.parts ? PARTS.filter((each) => set.parts[each]).map((each) => chip(each, PART_TITLES[each])) : []), all);
    labels.replaceChildren(...current.labels.filter((each) => each.label !== null).map((each) => el("option", { value: each.label })));
    saving.hidden = changes.size === 0;
    sheet.replaceChildren();
    shown = 0;
    selection.clear();
    showMore();
  }

  /** Give the selected pictures a label, or leave them out. */
  function change(value) {
    warned = false;
    showText(problem, null);
    const own = new Map(members.map((member) => [member.position, member.label]));
    for (const position of selection.get()) {
      if (own.get(position) === value) changes.delete(position);
      else changes.set(position, value);
    }
    render();
    if (changes.size) askLeaving ??= askBeforeLeaving();
    else letLeave();
  }

  function letLeave() {
    askLeaving?.();
    askLeaving = null;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const value = input.value.trim();
    input.value = "";
    if (value) change(value);
    else input.focus();
  });

  /** What is saved is what is shown: nothing can be changed meanwhile. */
  function setSaving(on) {
    isSaving = on;
    warned = false;
    save.textContent = on ? "Saving" : "Save";
    for (const part of [side, chips, sheet, more, form, saving]) part.inert = on;
  }

  saving.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isSaving) return;
    setSaving(true);
    attempt(problem, async () => {
      const all = [...changes];
      const wanted = {
        name: name.value.trim(),
        labels: Object.fromEntries(all.filter(([, value]) => value !== LEFT_OUT)),
        drop: all.filter(([, value]) => value === LEFT_OUT).map(([position]) => position),
      };
      const made = await relabelDataset(set.id, wanted, keys.of(wanted));
      keys.answered();
      await updateSets();
      dialog.close();
      onmade(made.name);
    }).finally(() => {
      setSaving(false);
      if (dialog.element.open) save.focus();
    });
  });

  try {
    [set, members, statistics] = await Promise.all([getDataset(reference), listMembers(reference), getStatistics(reference)]);
    dialog.element.querySelector("h2").textContent = set.name;
    name.value = freeNameOf(set.name, knownSets(), "pictures");
    render();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    status.textContent = "";
    showText(problem, error.message);
  }
}
