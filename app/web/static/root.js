/** Where the service is: below a path, if a proxy shows it there. */

/** The modules of the page are in `<root>/static/<version>/`. */
const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** The URL of a path of the service, as its description writes it: "/v1/jobs". */
export const urlOf = (path) => ROOT + path;

/** The path of the service behind a URL (an object), with its query; null where it is a URL of something else. */
export function pathOf({ origin, pathname, search }) {
  return origin === location.origin && pathname.startsWith(`${ROOT}/`) ? pathname.slice(ROOT.length) + search : null;
}
