/** Pictures to try, which come with the page. Their licences: samples/LICENSES.md. */

import { el } from "./dom.js";
import { capitalized } from "./text.js";

const FOLDER = new URL("samples/", import.meta.url);

/** `by` is shown, as the licence of these asks for. */
const SAMPLES = [
  { file: "chelsea.jpg", title: "A cat" },
  { file: "coffee.jpg", title: "Coffee" },
  { file: "rocket.jpg", title: "A rocket" },
  { file: "china.jpg", title: "A palace", by: "danielbuechele" },
  { file: "flower.jpg", title: "A flower", by: "vultilion" },
  { file: "drawn-butterfly.jpg", title: "A drawn butterfly" },
  { file: "drawn-mushroom.jpg", title: "A drawn mushroom" },
  { file: "drawn-planet.jpg", title: "A drawn planet" },
];
const CREDITED = SAMPLES.filter(({ by }) => by);

const strip = document.getElementById("samples");
const list = document.getElementById("sample-list");
const credit = document.getElementById("sample-credit");
/** The picture fields that are shown. */
let fields = [];
/** Chosen samples that name their photographer. */
let used = new Set();

async function fetchFile({ file }) {
  const response = await fetch(new URL(file, FOLDER));
  if (!response.ok) throw new RangeError("This sample is not here any more: reload the page.");
  return new File([await response.blob()], file, { type: "image/jpeg" });
}

/** The samples that were pressed before are there, each in a field of its own. */
let before = Promise.resolve();

function choose(sample) {
  const file = fetchFile(sample);
  before = Promise.allSettled([before, file]).then(() => put(sample, file));
  return before;
}

/** Put a sample into the first field that is empty now. `fetched` is a promise of its file. */
async function put(sample, fetched) {
  const field = fields.find((candidate) => candidate.isEmpty());
  if (!field) return;
  try {
    const file = await fetched;
    if (sample.by) used.add(sample);
    field.add([file]);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    field.showProblem(error instanceof RangeError ? error.message : "The service does not answer.");
  }
}

/** The strip is there as long as a picture is missing; who made a picture, as long as it may be shown. */
function render() {
  const offered = fields.some((field) => field.isEmpty());
  const named = offered ? CREDITED : [...used];
  list.hidden = !offered;
  credit.hidden = named.length === 0;
  strip.hidden = list.hidden && credit.hidden;
  credit.firstElementChild.textContent = capitalized(named.map(({ title, by }) => `${title.replace(/^A /, "")} by ${by}`).join(", "));
}

/** Offer samples for these picture fields. */
export function showSamples(pictureFields) {
  fields = pictureFields;
  used = new Set();
  render();
}

list.append(
  ...SAMPLES.map((sample) => {
    const image = el("img", { src: new URL(sample.file, FOLDER), alt: sample.title, decoding: "async" });
    const attributes = { type: "button", class: "sample", title: sample.title, onclick: () => choose(sample) };
    return el("li", {}, el("button", attributes, image));
  }),
);
credit.querySelector("a").href = new URL("LICENSES.md", FOLDER);
document.getElementById("job-form").addEventListener("input", render);
