/** Turns at a stream, for all tabs of a browser together: it opens six connections to a service at a time (HTTP/1.1). */

import { urlOf } from "./root.js";

/** Streams at a time. The other connections are for all else. */
const TURNS = 3;
/** Milliseconds after which a stream ends if another tab waits for its turn. */
const TURN_MS = 5000;

const nameOf = (turn) => `${urlOf("/")} stream ${turn}`;

/** Call `use(signal)`, whose signal ends it after a while if another tab waits. */
async function hold(name, signal, use) {
  // It may have been aborted while the lock was asked for, which no event tells any more.
  signal.throwIfAborted();
  const turn = new AbortController();
  const end = () => turn.abort();
  signal.addEventListener("abort", end);
  const timer = setInterval(async () => {
    const { pending } = await navigator.locks.query();
    if (pending.some((lock) => lock.name === name)) end();
  }, TURN_MS);
  try {
    return await use(turn.signal);
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", end);
  }
}

/**
 * What `use(signal)` returns, once it is this tab's turn; its signal ends with `signal`, or when it is the turn of
 * another tab. Throws `signal`'s reason.
 */
export async function inTurn(signal, use) {
  // Browsers have locks only on https and localhost. Elsewhere each visible tab has its stream.
  if (!navigator.locks) return use(signal);
  for (let turn = 0; turn < TURNS; turn += 1) {
    let answer = null;
    await navigator.locks.request(nameOf(turn), { ifAvailable: true }, async (lock) => {
      if (lock) answer = { value: await hold(nameOf(turn), signal, use) };
    });
    if (answer) return answer.value;
  }
  const name = nameOf(Math.floor(TURNS * Math.random()));
  return navigator.locks.request(name, { signal }, () => hold(name, signal, use));
}
