/** Requests whose failure is shown. */

import { Problem, Unreachable } from "./api.js";
import { showText } from "./dom.js";

/**
 * Make a request by `request()`, and show in an element why it failed: by an answer of the service or the lack of one,
 * or by a RangeError, with which the page itself refuses something, unless `isShown()` says that the element is about
 * something else by then. Returns whether it succeeded.
 */
export async function attempt(problem, request, isShown = () => true) {
  showText(problem, null);
  try {
    await request();
    return true;
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable || error instanceof RangeError)) throw error;
    if (isShown()) showText(problem, error.message);
    return false;
  }
}
