/**
 * What this tab remembers over a reload. A browser may forbid storage, or have none left: then the page
 * forgets, which is what the person asked that browser for.
 */

function attempt(action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** The value kept under a name, or null. */
export function recall(name) {
  const text = attempt(() => sessionStorage.getItem(`impasto.${name}`));
  return text === null ? null : JSON.parse(text);
}

/** Keep a value under a name. */
export function keep(name, value) {
  attempt(() => sessionStorage.setItem(`impasto.${name}`, JSON.stringify(value)));
}
