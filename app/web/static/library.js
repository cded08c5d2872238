/** What the service keeps beside pictures: the networks that were trained or imported, and the sets. */

import { openNetworkList } from "./network_list.js";
import { openSetList } from "./set_list.js";

/** Fill the library. */
export function openLibrary() {
  document.getElementById("library").append(openNetworkList(), openSetList());
}
