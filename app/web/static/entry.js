/** An entry of a list of what is kept: its name, which can be changed, facts, and buttons. */

import { attempt } from "./attempt.js";
import { el, newId, showText } from "./dom.js";
import { same } from "./schema.js";

/** What a name may be, as the service takes it. */
const NAME = { pattern: "[a-z0-9][a-z0-9._\\-]{0,63}", title: "1 to 64 of a-z, 0-9, . _ and -, beginning with a letter or digit" };

/**
 * An item of a list. `onrename(name)` and `onremove()` call the service; what it answers wrong is shown here.
 * `confirm` is asked before it is removed, `name` null: it cannot be renamed.
 */
export function entryElement({ name, title, facts, actions = [], confirm, onrename = null, onremove = null }) {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const heading = el("h4", {}, title ?? name);
  const buttons = el("div", { class: "entry-actions" });
  const input = el("input", { type: "text", id: newId("name"), value: name, required: true, ...NAME, autocomplete: "off", spellcheck: "false" });
  const form = el(
    "form",
    { class: "rename", hidden: true },
    el("label", { class: "visually-hidden", for: input.id }, "New name"),
    input,
    el("button", { type: "submit", class: "button" }, "Rename"),
    el("button", { type: "button", class: "link", onclick: () => edit(false) }, "Leave it"),
  );
  const question = el("div", { class: "question", hidden: true }, el("p", {}, confirm ?? ""));
  question.append(
    el("button", { type: "button", class: "button danger", onclick: () => change(onremove) }, "Delete"),
    el("button", { type: "button", class: "link", onclick: () => ask(false) }, "Keep it"),
  );

  let isChanging = false;

  function edit(on) {
    form.hidden = !on;
    heading.hidden = on;
    showText(problem, null);
    if (on) input.select();
    else buttons.querySelector("button")?.focus();
  }

  function showQuestion(on) {
    question.hidden = !on;
    buttons.hidden = on;
  }

  function ask(on) {
    showQuestion(on);
    showText(problem, null);
    if (on) question.querySelector("button").focus();
  }

  async function change(request) {
    // A second press, before the answer to the first.
    if (isChanging) return;
    isChanging = true;
    try {
      if (!(await attempt(problem, request))) showQuestion(false);
    } finally {
      isChanging = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value === name) edit(false);
    else change(() => onrename(input.value));
  });
  buttons.append(
    ...actions,
    ...(onrename ? [el("button", { type: "button", class: "link", onclick: () => edit(true) }, "Rename")] : []),
    ...(onremove ? [el("button", { type: "button", class: "link", onclick: () => ask(true) }, "Delete")] : []),
  );
  return el("li", { class: "entry", "data-name": name }, heading, form, el("p", { class: "help" }, facts), buttons, question, problem);
}

/**
 * A function that shows items as entries of a list, in their order. `keyOf(item)` tells them apart, `make(item)` gives an
 * entry, which stays as long as its item is the same: something may be asked or typed in it, or on its way.
 */
export function entryList(list, keyOf, make) {
  const shown = new Map();
  return (items) => {
    const wanted = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, { item, entry }] of shown) {
      if (same(item, wanted.get(key))) continue;
      entry.remove();
      shown.delete(key);
    }
    for (const [place, [key, item]] of [...wanted].entries()) {
      if (!shown.has(key)) shown.set(key, { item, entry: make(item) });
      const [{ entry }, next] = [shown.get(key), list.children[place] ?? null];
      if (entry !== next) list.insertBefore(entry, next);
    }
  };
}
