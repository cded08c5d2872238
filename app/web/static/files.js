/** Links to the files that a job made beside its pictures. */

import { el } from "./dom.js";
import { fileSize, spaced } from "./text.js";

/** Endings by the media types of files that jobs make; numpy's archives are ZIPs. */
const ENDINGS = {
  "application/json": "json",
  "application/x-ndjson": "jsonl",
  "application/jsonl": "jsonl",
  "application/octet-stream": "safetensors",
  "application/zip": "npz",
  "text/csv": "csv",
  "text/markdown": "md",
};

/** Items of a list of a job's files; `title` begins the names of what is downloaded. */
export function fileItems(job, title) {
  const files = job.artifacts.filter(({ name, media_type: type }) => name !== "recipe" && !/^(image|video)\//.test(type));
  return files.map(({ name, url, media_type: type, bytes }) => {
    const ending = ENDINGS[type.split(";")[0]] ?? "bin";
    const link = el("a", { href: url, download: `${title}, ${spaced(name)}.${ending}` }, `${spaced(name)}.${ending}`);
    return el("li", {}, link, ` ${fileSize(bytes)}`);
  });
}
