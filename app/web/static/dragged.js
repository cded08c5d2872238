/** What is dragged to a picture field other than a file: a picture or a link, of this page or of another one. */

import { getJob, Problem, Unreachable } from "./api.js";
import { isTerminal } from "./follow.js";
import { pathOf } from "./root.js";

const ARTIFACT = /^\/v1\/jobs\/([\w-]+)\/artifacts\/([\w.-]+)(?:\?|$)/;
const IMAGE = /^\/v1\/images\/([\w-]+)\/content(?:\?|$)/;

const FOREIGN =
  "That is a link of another page, which the service cannot open. Save the picture there and drop the file, " +
  "or copy the picture and paste it here.";
const NOT_A_PICTURE = "That is not a picture: drop one of the results, or a file.";

/** Whether a drag brings something that a picture field may take. */
export const mayBePicture = ({ types }) => types.includes("Files") || types.includes("text/uri-list");

/** The URL that is dragged, as an object; null where there is none, or what another program wrote is none. */
function urlOf(transfer) {
  const line = transfer.getData("text/uri-list").split(/\r?\n/).find((each) => each && !each.startsWith("#"));
  return line && URL.canParse(line) ? new URL(line) : null;
}

/** The picture of a job by the name of its artifact, else the main one, as a reference. Throws a RangeError. */
async function referenceOf(id, name, takesClips) {
  const job = await getJob(id);
  const isShown = ({ media_type: type }) => type.startsWith("image/") || (takesClips && type.startsWith("video/"));
  const found = job.artifacts.find((artifact) => artifact.name === (name ?? "image"));
  // The preview is deleted when the job ends.
  if (found && name !== "preview" && isShown(found)) return `${id}/${found.name}`;
  if (!isTerminal(job)) throw new RangeError("This picture is not done yet: wait until its job has ended.");
  throw new RangeError(found ? NOT_A_PICTURE : "This job made no picture.");
}

/**
 * What is dragged, from the page itself: null, if it is nothing of this page, else a function that gives a promise of its
 * reference; it throws Problem, Unreachable, RangeError. To be called while the drop is handled.
 */
export function ownPicture(transfer, takesClips) {
  const url = urlOf(transfer);
  const path = url && pathOf(url);
  if (!path) return null;
  const [, image] = IMAGE.exec(path) ?? [];
  if (image) return () => Promise.resolve(image);
  const [, job, name] = ARTIFACT.exec(path) ?? [];
  const shown = new URLSearchParams(url.hash.slice(1)).get("job");
  if (job) return () => referenceOf(job, name, takesClips);
  if (url.pathname !== location.pathname) return null;
  return shown ? () => referenceOf(shown, null, takesClips) : () => Promise.reject(new RangeError(NOT_A_PICTURE));
}

/** Let a field take what is dragged. `files` are those that came with it. */
export async function takeDragged(field, transfer, files) {
  const own = ownPicture(transfer, field.param.control === "clip");
  if (!own) {
    if (files.length) field.add(files);
    else field.showProblem(FOREIGN);
    return;
  }
  try {
    field.addReference(await own());
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable || error instanceof RangeError)) throw error;
    field.showProblem(error.message);
  }
}
