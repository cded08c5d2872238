/** The form's life: which kind it is for, what is kept of it, and the way it is sent. */

import { Problem, sendJob, Unreachable } from "./api.js";
import { el, say } from "./dom.js";
import { isPicture, kindOf, offeredKinds } from "./kinds.js";
import { keep, recall } from "./memory.js";
import { enter, makeRoom } from "./room.js";
import { same } from "./schema.js";

const form = document.getElementById("studio");
const chooser = document.getElementById("kind");
const go = document.getElementById("go");
const advanced = document.getElementById("advanced");
const formProblem = document.getElementById("form-problem");

/**
 * Open the form. `onjob(job)` is called with every job sent. Returns `reuse(job)`, which shows the settings of
 * an old job.
 */
export function openStudio(networks, onjob) {
  /** Rooms that were entered so far, by kind: what is filled in stays while another is looked at. */
  const rooms = new Map();
  let room = null;
  let sending = false;
  /** What was last sent without an answer, and the key that keeps a second try from making a second job. */
  let unanswered = null;

  function roomOf(name) {
    if (!rooms.has(name)) {
      const made = makeRoom(kindOf(name), networks);
      made.write(recall(`settings.${name}`) ?? {});
      rooms.set(name, made);
    }
    return rooms.get(name);
  }

  function choose(name) {
    const before = room;
    room = roomOf(name);
    chooser.value = name;
    keep("kind", name);
    if (before && before !== room) carryOver(before, room);
    say(formProblem, null);
    enter(room);
  }

  const remember = () => keep(`settings.${room.kind.kind}`, room.read().params);

  async function send() {
    const from = room;
    from.clearProblems();
    say(formProblem, null);
    if (from.wells.some((well) => !well.isEmpty())) go.dataset.busy = "Uploading";
    await Promise.all(from.wells.map((well) => well.settled()));
    const { params, problems } = from.read();
    const show = (found) => say(formProblem, from.show(found, advanced).join(" "));
    if (problems.length) {
      show(problems);
      return;
    }
    go.dataset.busy = "Sending";
    const asked = { path: from.kind.path, params };
    if (!unanswered || !same(unanswered.asked, asked)) unanswered = { asked, key: randomKey() };
    try {
      const job = await sendJob(asked.path, params, unanswered.key);
      unanswered = null;
      onjob(job);
    } catch (error) {
      if (error instanceof Unreachable) {
        say(formProblem, error.message);
      } else if (error instanceof Problem) {
        unanswered = null;
        show(error.fields);
      } else {
        throw error;
      }
    }
  }

  function reuse(job) {
    choose(job.kind);
    room.clearProblems();
    room.reuse(job.params);
    remember();
    form.scrollIntoView({ block: "nearest" });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    go.setAttribute("aria-disabled", "true");
    try {
      await send();
    } finally {
      sending = false;
      delete go.dataset.busy;
      go.removeAttribute("aria-disabled");
    }
  });

  form.addEventListener("input", (event) => {
    const name = event.target.closest("[data-field]")?.dataset.field;
    if (!name) return;
    if (name === "preset") room.showPreset();
    if (name === "network") room.showNetwork();
    if (!isPicture(room.fields.get(name).param)) room.fields.get(name).complain(null);
    say(formProblem, null);
    remember();
  });

  const offered = offeredKinds();
  chooser.append(...offered.map(({ kind, title }) => el("option", { value: kind }, title)));
  chooser.addEventListener("change", () => choose(chooser.value));
  const last = recall("kind");
  choose(offered.some(({ kind }) => kind === last) ? last : offered[0].kind);
  receiveFiles(() => room.wells);
  go.disabled = false;
  return { reuse };
}

/** The picture of one room, in the first well of another that is empty and must not be. */
function carryOver(from, to) {
  const [source, target] = [from.required[0], to.required[0]];
  if (!source || !target?.isEmpty() || source.param.control === "clip") return;
  const [reference] = [from.read().params[source.param.name] ?? []].flat();
  if (reference) target.set(target.param.control === "pictures" ? [reference] : reference);
}

/** A key that no other submission has; also where crypto.randomUUID is missing (http, other machines). */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}

/** Pictures dropped or pasted anywhere go to the well below them, or else to the first that is empty. */
function receiveFiles(wellsNow) {
  const receive = (target, files) => {
    const wells = wellsNow();
    const required = wells.filter((well) => well.param.required);
    const well =
      wells.find(({ element }) => element.contains(target)) ??
      required.find((candidate) => candidate.isEmpty()) ??
      required.at(-1) ??
      wells[0];
    well?.add([...files]);
  };
  addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    receive(event.target, event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) receive(document.activeElement, event.clipboardData.files);
  });
}
