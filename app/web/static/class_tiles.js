/** What a network believes that its classes look like: a job and a tile each. */

import { Problem, sendJob, Unreachable } from "./api.js";
import { el, showText } from "./dom.js";
import { follow, isTerminal } from "./follow.js";
import { artifactUrl, smallUrl } from "./jobs.js";
import { keysOfMany } from "./keys.js";
import { kindOf } from "./kinds.js";
import { IMAGINE } from "./uses.js";

/** Classes that are asked for at a time. */
const AT_A_TIME = 12;

function makeTile(name) {
  const image = el("img", { alt: `What it imagines of ${name}`, hidden: true });
  const state = el("span", { class: "tile-state" }, "waiting");
  const link = el("a", { class: "class-picture" }, image, state);
  const text = el("p", {}, el("b", {}, name));
  return {
    element: el("li", {}, link, text),
    fail: (message) => showText(state, message),
    render(job) {
      link.href = `#job=${job.id}`;
      const made = artifactUrl(job, "image");
      const url = made ? smallUrl(made) : artifactUrl(job, "preview");
      if (url && image.getAttribute("src") !== url) {
        image.src = url;
        image.hidden = false;
      }
      showText(state, isTerminal(job) ? (job.error?.detail ?? null) : image.hidden ? (job.state === "running" ? "imagining" : "waiting") : null);
      link.toggleAttribute("data-draft", !isTerminal(job));
    },
  };
}

/** Returns {element, show(network, classes), clear()}. */
export function makeClassTiles() {
  const list = el("ul", { class: "class-tiles" });
  const more = el("button", { type: "button", class: "button", hidden: true, onclick: () => ask() }, "See more");
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const element = el("section", { class: "classes-seen", hidden: true, "aria-label": "Its classes" }, el("h3", {}, "Its classes, imagined"), list, problem, more);
  let network = null;
  let left = [];
  /** Functions that stop following. */
  let unfollow = [];
  let run = 0;
  /** Whether not all could be asked for. */
  let hasFailed = false;
  /** A class that was asked for without an answer is asked for again with the same key. */
  const keys = keysOfMany();

  async function ask() {
    const mine = run;
    const names = left.slice(0, AT_A_TIME);
    left = left.slice(AT_A_TIME);
    more.hidden = true;
    for (const name of names) {
      const tile = makeTile(name);
      list.append(tile.element);
      try {
        const params = { network, target: [name] };
        const job = await sendJob(kindOf(IMAGINE).path, params, keys.of(params));
        if (mine !== run) return;
        tile.render(job);
        unfollow.push(follow(job.id, { onjob: tile.render, onconnection() {}, onproblem: (found) => tile.fail(found.message) }));
      } catch (error) {
        if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
        if (mine !== run) return;
        tile.element.remove();
        // What is wrong with one is wrong with all.
        showText(problem, error.message);
        left = [];
        hasFailed = true;
        break;
      }
    }
    more.hidden = left.length === 0;
    more.textContent = `See ${Math.min(left.length, AT_A_TIME)} more`;
  }

  function clear() {
    empty();
    network = null;
    keys.clear();
  }

  function empty() {
    run += 1;
    hasFailed = false;
    for (const stop of unfollow) stop();
    unfollow = [];
    list.replaceChildren();
    showText(problem, null);
    element.hidden = true;
  }

  return {
    element,
    clear,
    show(name, classes) {
      const isShown = name === network && !hasFailed;
      if (!isShown) {
        empty();
        network = name;
        left = classes;
        element.hidden = false;
      }
      element.scrollIntoView({ block: "nearest" });
      return isShown ? null : ask();
    },
  };
}
