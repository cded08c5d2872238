/** Looks into a network for one class of one picture, side by side: a job each. */

import { Problem, sendJob, Unreachable } from "./api.js";
import { el, showText } from "./dom.js";
import { follow, isTerminal } from "./follow.js";
import { artifactUrl } from "./jobs.js";
import { keysOfMany } from "./keys.js";
import { kindOf } from "./kinds.js";

/** The looks within an element. Returns {show({name, index, reference, network}, kinds), clear()}. */
export function makeLooks(element) {
  const title = element.querySelector(".looks-title");
  const list = element.querySelector(".looks-list");
  /** Functions that stop following. */
  let unfollow = [];
  let asked = 0;
  /** What is shown, as text; null: none, or it did not work, and is asked for anew by the next press. */
  let shown = null;
  /** A class that is chosen again has the looks that it had, until they fail. */
  const keys = keysOfMany();

  function clear() {
    empty();
    keys.clear();
  }

  function empty() {
    asked += 1;
    shown = null;
    for (const stop of unfollow) stop();
    unfollow = [];
    element.hidden = true;
    list.replaceChildren();
  }

  /** A place for one look; `render(job)` shows it as it is now. */
  function makePlace(kind) {
    const image = el("img", { alt: "", decoding: "async", hidden: true });
    const text = el("p", { class: "help", role: "status" }, "Waiting for its turn");
    const link = el("a", { class: "look-title" }, kind.title);
    const picture = el("a", { class: "look-picture", tabindex: -1, "aria-hidden": "true" }, image);
    const item = el("li", { class: "look" }, link, picture, text);
    return {
      item,
      fail: (message) => showText(text, message),
      render(job) {
        link.href = picture.href = `#job=${job.id}`;
        const url = artifactUrl(job, "image");
        if (url && image.getAttribute("src") !== url) {
          image.src = url;
          image.alt = `${kind.title}, ${title.textContent}`;
          image.hidden = false;
        }
        const waiting = job.state === "running" ? "Running" : "Waiting for its turn";
        showText(text, isTerminal(job) ? (job.error?.detail ?? null) : waiting);
      },
    };
  }

  async function send(kind, params, place, run) {
    const request = [kind.kind, params];
    /** The next press asks for another one. */
    function forget() {
      keys.forget(request);
      if (run === asked) shown = null;
    }
    try {
      const job = await sendJob(kind.path, params, keys.of(request), true);
      if (run !== asked) return;
      unfollow.push(
        follow(job.id, {
          onjob(next) {
            place.render(next);
            if (isTerminal(next) && next.state !== "succeeded") forget();
          },
          onconnection() {},
          onproblem(problem) {
            place.fail(problem.message);
            forget();
          },
        }),
      );
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      if (error instanceof Problem) forget();
      else if (run === asked) shown = null;
      place.fail(error.message);
    }
  }

  async function show({ name, index, reference, network }, kinds) {
    const wanted = JSON.stringify([name, index, reference, network, kinds]);
    if (wanted === shown) {
      element.scrollIntoView({ block: "nearest" });
      return;
    }
    empty();
    shown = wanted;
    const run = asked;
    title.textContent = `What speaks for “${name}”`;
    element.hidden = false;
    const known = kinds.map(kindOf).filter(Boolean);
    const places = known.map(makePlace);
    list.replaceChildren(...places.map(({ item }) => item));
    element.scrollIntoView({ block: "nearest" });
    const params = { image: reference, target: String(index ?? name), ...(network ? { network } : {}) };
    await Promise.all(known.map((kind, i) => send(kind, params, places[i], run)));
  }

  return { show, clear };
}
