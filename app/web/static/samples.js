/** Pictures to try, which come with the page. Their licences: samples/LICENSES.md. */

import { el } from "./dom.js";

const FOLDER = new URL("samples/", import.meta.url);

/** `by` is shown where a licence asks for it. */
const SAMPLES = [
  { file: "chelsea.jpg", title: "A cat" },
  { file: "coffee.jpg", title: "Coffee" },
  { file: "rocket.jpg", title: "A rocket" },
  { file: "china.jpg", title: "A palace", by: "danielbuechele, CC BY 2.0" },
  { file: "flower.jpg", title: "A flower", by: "vultilion, CC BY 2.0" },
  { file: "drawn-butterfly.jpg", title: "A drawn butterfly" },
  { file: "drawn-mushroom.jpg", title: "A drawn mushroom" },
  { file: "drawn-planet.jpg", title: "A drawn planet" },
];

async function fetchFile({ file }) {
  const response = await fetch(new URL(file, FOLDER));
  if (!response.ok) throw new RangeError("This sample is not here any more: reload the page.");
  return new File([await response.blob()], file, { type: "image/jpeg" });
}

/** A row of samples; `onfile(file)` is called with the chosen one, `onproblem(text)` if it cannot be had. */
export function sampleRow(onfile, onproblem) {
  async function choose(sample) {
    try {
      onfile(await fetchFile(sample));
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      onproblem(error.message);
    }
  }

  const buttons = SAMPLES.map((sample) => {
    const title = [sample.title, sample.by].filter(Boolean).join(", ");
    const image = el("img", { src: new URL(sample.file, FOLDER), alt: title, loading: "lazy", decoding: "async" });
    return el("li", {}, el("button", { type: "button", class: "sample", title, onclick: () => choose(sample) }, image));
  });
  return el(
    "details",
    { class: "samples" },
    el("summary", {}, "Samples"),
    el("ul", { class: "sample-list", "aria-label": "Samples" }, ...buttons),
  );
}
