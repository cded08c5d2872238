/** The networks that were trained or imported: rename, delete, export and import them. */

import { deleteNetwork, importNetwork, Problem, renameNetwork, sendJob } from "./api.js";
import { attempt } from "./attempt.js";
import { el, newId } from "./dom.js";
import { entryElement, entryList } from "./entry.js";
import { waitForJob } from "./follow.js";
import { randomKey, requestKeys } from "./keys.js";
import { kindOf } from "./kinds.js";
import { askedMeanwhile } from "./leaving.js";
import { knownNetworks, onNetworks, refreshNetworks } from "./networks.js";
import { urlOf } from "./root.js";
import { ago, counted, fileSize, freeNameOf } from "./text.js";
import { reasonOf } from "./uploads.js";
import { EXPORT } from "./uses.js";

const TITLE = "networks-title";

/** Bring the list into sight. */
export function showNetworks() {
  const title = document.getElementById(TITLE);
  title.scrollIntoView();
  title.focus();
}

const classesOf = ({ classes }) => (classes.length === 1 ? "1 class" : `${classes.length || "no"} classes`);

function factsOf(network) {
  const accuracy = network.training?.metrics?.test_accuracy;
  return [
    network.origin,
    classesOf(network),
    typeof accuracy === "number" ? `${(100 * accuracy).toFixed(1)} % of test pictures` : null,
    fileSize(network.bytes),
    network.created_at ? ago(network.created_at) : null,
  ].filter(Boolean).join(", ");
}

/** The job that writes a network as ONNX, and then its file. */
async function exportOnnx(network, button) {
  const label = button.textContent;
  button.disabled = true;
  button.textContent = "Writing…";
  try {
    const sent = await sendJob(kindOf(EXPORT).path, { network: network.name }, randomKey(), true);
    const job = await waitForJob(sent.id, new AbortController().signal, () => {});
    const file = job.artifacts.find(({ name }) => name === "model");
    if (!file) throw new RangeError(job.error?.detail ?? "This was cancelled.");
    el("a", { href: file.url, download: `${network.name}.onnx` }).click();
  } finally {
    button.disabled = false;
    button.textContent = label;
  }
}

function entryOf(network, problem) {
  const { name } = network;
  const onnx = el("button", { type: "button", class: "link", onclick: () => attempt(problem, () => exportOnnx(network, onnx)) }, "ONNX");
  return entryElement({
    name,
    title: name,
    facts: factsOf(network),
    confirm: `Delete ${name}? Pictures that it made stay.`,
    actions: [
      el("a", { class: "link", href: urlOf(`/v1/networks/${encodeURIComponent(name)}/export`), download: "" }, "Export"),
      ...(kindOf(EXPORT) ? [onnx] : []),
    ],
    async onrename(next) {
      await renameNetwork(name, next);
      await refreshNetworks();
    },
    async onremove() {
      await deleteNetwork(name);
      await refreshNetworks();
    },
  });
}

const imports = requestKeys();

/** Import a file under a name; the same file that is chosen again after an answer that was lost is imported once. */
async function importOnce(file, name) {
  const { name: filename, size, lastModified } = file;
  const key = imports.of({ name, filename, size, lastModified });
  await askedMeanwhile(() => importNetwork(file, name, key));
  imports.answered();
}

/** Import a file; if another network has its name, under that of the file. */
async function importAnyhow(file) {
  try {
    await importOnce(file, null);
  } catch (error) {
    if (error instanceof DOMException) throw new RangeError(reasonOf(error));
    if (!(error instanceof Problem) || error.status !== 409) throw error;
    await importOnce(file, freeNameOf(file.name.replace(/\.safetensors$/i, ""), knownNetworks(), "network"));
  }
}

/** The section of the page. */
export function openNetworkList() {
  const list = el("ul", { class: "entries" });
  const showEntries = entryList(list, ({ name }) => name, (network) => entryOf(network, problem));
  const total = el("p", { class: "help", role: "status" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const input = el("input", { type: "file", class: "visually-hidden", id: newId("network-file"), accept: ".safetensors" });
  const element = el(
    "section",
    { class: "shelf", "aria-labelledby": TITLE },
    el("h2", { id: TITLE, tabindex: -1 }, "Networks"),
    total,
    list,
    el("div", { class: "shelf-actions" }, input, el("label", { class: "button", for: input.id }, "Import a network")),
    problem,
  );

  function render() {
    const own = knownNetworks().filter(({ origin }) => origin !== "shipped");
    total.textContent = own.length
      ? `${counted(own.length, "network")} of yours, ${fileSize(own.reduce((sum, network) => sum + network.bytes, 0))}.`
      : "None of yours yet: train one, or import one that was exported here.";
    showEntries(own);
  }

  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    attempt(problem, async () => {
      if (!/\.safetensors$/i.test(file.name)) throw new RangeError(`${file.name} is not a network: choose a file that “Export” gave, a .safetensors.`);
      await importAnyhow(file);
      await refreshNetworks();
    });
  });
  onNetworks(render);
  render();
  return element;
}
