/** Small helpers around the document. */

/**
 * A new element. Attributes that are functions become listeners (`onclick`), booleans are set or left out,
 * null is left out.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") node.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The nodes of a text, in which what stands between backticks is code. */
export const withCode = (text) => text.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));

/** Show a text in an element; without a text, hide the element. */
export function showText(node, text) {
  node.textContent = text ?? "";
  node.hidden = !text;
}

/** Tell the form that a field was changed by the page itself. */
export function notifyInput(node) {
  node.dispatchEvent(new Event("input", { bubbles: true }));
}

let count = 0;

/** An id that no other element has. */
export function newId(prefix) {
  count += 1;
  return `${prefix}-${count}`;
}
