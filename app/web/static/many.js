/**
 * Many pictures in a form for one: each makes a job of its own, or each of one kind with each of another. And what it
 * takes, of one as of many.
 */

import { distinctFields, Problem, Unreachable } from "./api.js";
import { estimateJob, estimateMatrix } from "./batch_api.js";
import { about } from "./batches.js";
import { showText } from "./dom.js";
import { radioField } from "./fields.js";
import { isPicture } from "./kinds.js";
import { pileField } from "./pile_field.js";
import { load, save } from "./session.js";
import { counted, fileSize } from "./text.js";

/** Milliseconds without a change before the service is asked how long it takes. */
const ESTIMATE_MS = 500;

/** Characters of a batch's name. */
const MAX_TITLE = 200;

const ONE = "One picture";
const MANY = "Many pictures";
const CROSS = "Each with each";
const ZIP = "In pairs";

/** Where an estimate is from, by its basis. */
const BASES = { here: "going by earlier jobs here", reference: "as measured on 2 cores without a GPU" };

/** The time and the memory of an estimate of jobs for so many workers. */
function estimateWords({ seconds, memory_bytes: bytes, basis }, workers) {
  const memory = bytes === null ? null : `${fileSize(bytes)} of memory`;
  if (seconds === null) return ["How long it takes is known once the first is made.", memory && `It takes about ${memory}.`].filter(Boolean).join(" ");
  return `It takes about ${[about(seconds / Math.max(1, workers)), memory].filter(Boolean).join(" and ")}, ${BASES[basis]}.`;
}

const product = (numbers) => numbers.reduce((a, b) => a * b, 1);

/**
 * The choice of one or many. `current()` is the kind's form that is shown, `onswitch()` is called when it has other
 * fields. Returns {show(), isOn(), receive(target, files, entries), combine(form), title(form)}.
 */
export function openMany({ current, onswitch }) {
  const choice = radioField({ name: "many", title: "How many", description: "", choices: [ONE, MANY] });
  const pairing = radioField(
    { name: "combine", title: "Combine", description: "", choices: [CROSS, ZIP] },
    { [CROSS]: { summary: "Every picture of one side with every picture of the other." }, [ZIP]: { summary: "The first with the first, the second with the second." } },
  );
  const place = document.getElementById("many");
  const pairs = document.getElementById("combine");
  const estimate = document.getElementById("estimate");
  const advanced = document.getElementById("advanced");
  place.append(choice.element);
  pairs.append(pairing.element);
  choice.element.querySelector("legend").className = "visually-hidden";
  // They are no params of a job.
  for (const { element } of [choice, pairing]) delete element.dataset.field;
  /** By kind: {isOn, piles}. */
  const states = new Map();
  let timer = null;
  let asked = 0;

  /** Fields that take many pictures: those that a kind needs one of. */
  const manyOf = (form) => form.main.filter(({ param }) => isPicture(param) && param.required);

  function stateOf(form) {
    const { kind } = form.kind;
    if (!states.has(kind)) {
      const kept = load(`many.${kind}`);
      const piles = new Map(manyOf(form).map(({ param }) => [param.name, pileField(param)]));
      for (const [name, pictures] of Object.entries(kept?.piles ?? {})) piles.get(name)?.restore(pictures);
      states.set(kind, { isOn: piles.size > 0 && (kept?.isOn ?? false), piles });
      for (const field of manyOf(form)) {
        if (field.param.control !== "pictures") field.onmany((files) => take(field.param.name, files, []));
      }
    }
    return states.get(kind);
  }

  const state = () => stateOf(current());
  const countsOf = ({ piles }) => [...piles.values()].map((pile) => pile.count());
  const canPair = ([first, ...others]) => others.length > 0 && first > 1 && others.every((count) => count === first);
  const combineOf = (own) => (canPair(countsOf(own)) && pairing.get() === ZIP ? "zip" : "cross");
  const total = () => (combineOf(state()) === "zip" ? countsOf(state())[0] : product(countsOf(state())));

  function keep() {
    const { isOn, piles } = state();
    save(`many.${current().kind.kind}`, { isOn, piles: Object.fromEntries([...piles].map(([name, pile]) => [name, pile.kept()])) });
  }

  function renderButton() {
    const label = current().kind.submit_label;
    document.querySelector("#submit span").textContent = state().isOn && total() > 0 ? `${label} ${counted(total(), "picture")}` : label;
  }

  /** Ask the service how long it takes, and whether it takes this at all. */
  async function ask() {
    const form = current();
    const { isOn, piles } = state();
    const isReady = !isOn || (total() > 0 && ![...piles.values()].some((pile) => pile.isSending()));
    const { params, over, problems } = isReady ? form.read() : { problems: [true] };
    asked += 1;
    if (problems.length) return;
    const run = asked;
    try {
      const { kind } = form.kind;
      const answer = await (isOn ? estimateMatrix({ kind, params, over, combine: combineOf(stateOf(form)) }) : estimateJob(kind, params));
      if (run !== asked) return;
      const others = form.show(distinctFields(answer.problems), advanced, { isSent: false });
      const words = estimateWords(answer.estimate, isOn ? answer.workers : 1);
      const isNone = isOn && answer.wrong === answer.lines;
      const wrong = isNone ? "None of them can be made." : isOn && answer.wrong ? `${answer.wrong.toLocaleString("en")} of ${answer.lines.toLocaleString("en")} cannot be made.` : null;
      showText(estimate, [wrong, ...others, answer.wrong ? null : words].filter(Boolean).join(" "));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      if (run !== asked || error instanceof Unreachable) return;
      showText(estimate, form.show(error.fields, advanced, { isSent: false }).join(" "));
    }
  }

  function onchange() {
    pairs.hidden = !state().isOn || !canPair(countsOf(state()));
    renderButton();
    showText(estimate, null);
    asked += 1;
    clearTimeout(timer);
    timer = setTimeout(ask, ESTIMATE_MS);
    keep();
  }

  function switchTo(isOn) {
    const form = current();
    const own = stateOf(form);
    if (own.isOn === isOn) return;
    own.isOn = isOn;
    for (const field of manyOf(form)) {
      const pile = own.piles.get(field.param.name);
      if (isOn && pile.isEmpty()) moveTo(pile, field);
      else if (!isOn && field.isEmpty() && !pile.isEmpty()) field.set(field.param.control === "pictures" ? pile.get()?.slice(0, 1) ?? null : pile.get()?.[0] ?? null);
    }
    onswitch();
  }

  /** The pictures of a field for one are the first of the pile. */
  function moveTo(pile, field) {
    pile.restoreReferences(field.references());
    if (field.unsent().length) pile.add(field.unsent());
  }

  /** Give files to the pile of a param, which the form then shows. */
  function take(name, files, entries) {
    switchTo(true);
    state().piles.get(name).add(files, entries);
  }

  choice.element.addEventListener("change", () => switchTo(choice.get() === MANY));
  pairing.set(CROSS);
  document.getElementById("job-form").addEventListener("input", onchange);

  return {
    /** Show what the kind's form has of it, after its fields were put into the page. */
    show() {
      const { isOn, piles } = state();
      place.hidden = piles.size === 0;
      choice.set(isOn ? MANY : ONE);
      onchange();
    },
    /** Tell a kind's form whether it is for many, before its fields are put into the page. */
    prepare(form) {
      const { isOn, piles } = stateOf(form);
      form.setPiles(isOn ? piles : null);
    },
    /** Show the fields of a form for one. */
    turnOff: () => switchTo(false),
    /** How the pictures of a kind's form are combined: another one may be shown. */
    combine: (form) => combineOf(stateOf(form)),
    /** What to call a batch of the pictures that are chosen in a kind's form. */
    title(form) {
      const titles = [...stateOf(form).piles.values()].map((pile) => pile.title());
      const title = titles.length > 1 ? titles.join(" × ") : `${form.kind.title}: ${titles[0]}`;
      return title.slice(0, MAX_TITLE);
    },
    /**
     * Take what was dropped somewhere, if it is more than a form for one takes: folders, or several files on a field
     * for one. Whether it was taken.
     */
    receive(target, files, entries) {
      const form = current();
      const { isOn, piles } = stateOf(form);
      if (piles.size === 0) return false;
      const isFolder = entries.some(({ isDirectory }) => isDirectory);
      if (!isOn && !isFolder) return false;
      const fields = isOn ? [...piles.values()] : manyOf(form);
      const field = fields.find(({ element }) => element.contains(target)) ?? fields.find((each) => each.isEmpty()) ?? fields.at(-1);
      if (form.pictures.some(({ element, param }) => element.contains(target) && !piles.has(param.name))) return false;
      take(field.param.name, files, entries);
      return true;
    },
  };
}
