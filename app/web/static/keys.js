/** Idempotency keys. */

import { same } from "./schema.js";

/** A random key; crypto.randomUUID is missing over http from other machines. A name in a key may be none: keys are ASCII. */
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}

/** Keys of several requests at a time: the same for the same request until it is forgotten. */
export function keysOfMany() {
  const keys = new Map();
  return {
    of(request) {
      const name = JSON.stringify(request);
      if (!keys.has(name)) keys.set(name, randomKey());
      return keys.get(name);
    },
    forget: (request) => keys.delete(JSON.stringify(request)),
    clear: () => keys.clear(),
  };
}

/**
 * Keys of requests: `of(request)` is the same for the same request until `answered()`, so that sending it again makes
 * nothing a second time.
 */
export function requestKeys() {
  let unanswered = null;
  return {
    of(request) {
      if (!unanswered || !same(unanswered.request, request)) unanswered = { request, key: randomKey() };
      return unanswered.key;
    },
    answered() {
      unanswered = null;
    },
  };
}
