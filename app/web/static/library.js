/** What the service keeps beside pictures: networks that were trained or imported, sets, and uploads that nothing uses. */

import { openNetworkList } from "./network_list.js";
import { openSetList } from "./set_list.js";
import { openUploadList } from "./upload_list.js";

/** Fill the library. Returns {refreshUploads()}, for when a job uses some. */
export function openLibrary() {
  const uploads = openUploadList();
  document.getElementById("library").append(openNetworkList(), openSetList(), uploads.element);
  return { refreshUploads: uploads.refresh };
}
