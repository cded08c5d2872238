/** Values that this tab keeps over a reload. Without storage, or with a full one, nothing is kept. */

function attempt(action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** The value saved under a name, or null. */
export function load(name) {
  const text = attempt(() => sessionStorage.getItem(`impasto.${name}`));
  return text === null ? null : JSON.parse(text);
}

/** Save a value under a name. */
export function save(name, value) {
  attempt(() => sessionStorage.setItem(`impasto.${name}`, JSON.stringify(value)));
}
