/** A file of jobs, one a line: what it would be, what is wrong in it, and a button that starts it. */

import { Problem } from "./api.js";
import { estimateLines, sendLines } from "./batch_api.js";
import { about } from "./batches.js";
import { openDialog } from "./dialog.js";
import { el, newId, showText } from "./dom.js";
import { requestKeys } from "./keys.js";
import { kindOf } from "./kinds.js";
import { counted, fileSize } from "./text.js";
import { reasonOf } from "./uploads.js";

const MAX_NAME = 200;

/** Wrong lines as rows of a table. */
function problemTable(problems) {
  const rows = problems.map(({ line, custom_id: id, field, detail }) =>
    el("tr", {}, el("td", { class: "number" }, String(line)), el("td", {}, id ?? ""), el("td", {}, field), el("td", { class: "long" }, detail)),
  );
  const head = ["Line", "Name", "Field", "What is wrong"].map((title) => el("th", { scope: "col" }, title));
  return el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
}

/** Open the dialog of a file. `onbatch(batch)` gets the batch that is made of it. */
export function openLinesDialog(file, onbatch) {
  const stopping = new AbortController();
  const keys = requestKeys();
  const status = el("p", { class: "lines-summary", role: "status" }, "Reading");
  const bar = el("progress", { max: 1, "aria-label": "Sending the file" });
  const kinds = el("ul", { class: "lines-kinds" });
  const wrong = el("div", { class: "tables lines-wrong", hidden: true });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const name = el("input", { type: "text", id: newId("batch-name"), maxlength: MAX_NAME, value: file.name.replace(/\.\w+$/, ""), required: true, autocomplete: "off" });
  const start = el("button", { type: "submit", class: "primary", disabled: true }, "Start");
  const form = el("form", { class: "relabel" }, el("label", { for: name.id }, "Name"), name, start);
  const dialog = openDialog({
    title: file.name,
    name: "lines-dialog",
    body: [status, bar, kinds, wrong],
    foot: [problem, form],
    onclose: () => stopping.abort(),
  });

  function showShare(share) {
    bar.hidden = share === 1;
    bar.value = share;
  }

  /** What the service answers; null if it was wrong, which is shown. */
  async function attempt(request) {
    showText(problem, null);
    bar.hidden = false;
    try {
      return await request();
    } catch (error) {
      if (error.name === "AbortError") return null;
      showText(problem, reasonOf(error));
      if (error instanceof Problem && error.lines.length) showWrong(error.lines, error.wrong);
      return null;
    } finally {
      bar.hidden = true;
    }
  }

  function showWrong(problems, count) {
    const more = count - problems.length;
    wrong.replaceChildren(problemTable(problems), ...(more > 0 ? [el("p", { class: "help" }, `and ${counted(more, "more line")}`)] : []));
    wrong.hidden = problems.length === 0;
  }

  function showAnswer({ lines, wrong: count, problems, by_kind: byKind, estimate, workers }) {
    const good = lines - count;
    const seconds = estimate.seconds === null ? null : estimate.seconds / Math.max(1, workers);
    const words = [counted(good, "job"), good && seconds !== null ? `about ${about(seconds)}` : null].filter(Boolean).join(", ");
    status.textContent = count ? `${words}. ${counted(count, "line")} ${count === 1 ? "is" : "are"} wrong, and will be left out:` : `${words}.`;
    kinds.replaceChildren(...Object.entries(byKind).map(([kind, jobs]) => el("li", {}, `${kindOf(kind)?.title ?? kind}: ${jobs.toLocaleString("en")}`)));
    kinds.hidden = Object.keys(byKind).length < 2;
    showWrong(problems, count);
    start.disabled = good === 0;
    start.textContent = count ? `Start the other ${good.toLocaleString("en")}` : `Start ${counted(good, "job")}`;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    start.disabled = true;
    const title = name.value.trim() || file.name;
    const batch = await attempt(() => sendLines(file, title, keys.of({ title }), showShare, stopping.signal));
    start.disabled = false;
    if (!batch) return;
    dialog.close();
    onbatch(batch);
  });

  async function check() {
    status.textContent = `Checking ${fileSize(file.size)}`;
    const answer = await attempt(() => estimateLines(file, showShare, stopping.signal));
    if (answer) showAnswer(answer);
    else status.textContent = "";
  }
  check();
}
