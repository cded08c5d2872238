/** Links to the files that a job made beside its pictures. */

import { el } from "./dom.js";
import { kindOf } from "./kinds.js";
import { fileSize, spaced } from "./text.js";

/** Endings by the media types of files that jobs make; numpy's archives are ZIPs. */
const ENDINGS = {
  "application/json": "json",
  "application/x-ndjson": "jsonl",
  "application/jsonl": "jsonl",
  "application/zip": "npz",
  "text/csv": "csv",
  "text/markdown": "md",
  "text/plain": "txt",
};

/** Endings of files without a media type of their own. */
const BINARY = new Set(["safetensors", "onnx"]);

/** Items of a list of a job's files; `title` begins the names of what is downloaded. */
export function fileItems(job, title) {
  const files = job.artifacts.filter(({ name, media_type: type }) => name !== "recipe" && !/^(image|video)\//.test(type));
  // Of other files the kind says which it makes.
  const ownEnding = kindOf(job.kind)?.file_extensions.map((ending) => ending.slice(1)).find((ending) => BINARY.has(ending)) ?? "safetensors";
  return files.map(({ name, url, media_type: type, bytes }) => {
    const ending = ENDINGS[type.split(";")[0]] ?? ownEnding;
    const link = el("a", { href: url, download: `${title}, ${spaced(name)}.${ending}` }, `${spaced(name)}.${ending}`);
    return el("li", {}, link, ` ${fileSize(bytes)}`);
  });
}
