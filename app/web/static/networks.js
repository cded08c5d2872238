/** The networks that the service has. */

import { getNetworks, Problem, Unreachable } from "./api.js";

let networks = [];
/** Numbers of the last request for the list, and of that whose answer is shown: a later one may be answered first. */
let asked = 0;
let shown = 0;
const listeners = new Set();

/** All networks, as they were listed last. */
export const knownNetworks = () => networks;

/** The network of that name, if it is known. */
export const findNetwork = (name) => networks.find((network) => network.name === name);

/** Call a function whenever the networks are listed anew. */
export const onNetworks = (listener) => listeners.add(listener);

/** Keep the service's answer to GET /v1/networks. */
export function setNetworks(items) {
  networks = items;
  for (const listener of listeners) listener();
}

/** List the networks anew. That the service does not answer is said elsewhere. */
export async function refreshNetworks() {
  asked += 1;
  const own = asked;
  try {
    const found = await getNetworks();
    if (own < shown) return;
    shown = own;
    setNetworks(found);
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
  }
}
