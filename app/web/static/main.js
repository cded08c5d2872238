/** Starts the page: the form, the result, the gallery, and the job that the address names. */

import { getKinds, getNetworks, Unreachable } from "./api.js";
import { showText } from "./dom.js";
import { follow } from "./follow.js";
import { openForm } from "./form.js";
import { openGallery } from "./gallery.js";
import { setKinds } from "./kinds.js";
import { openLibrary } from "./library.js";
import { setNetworks } from "./networks.js";
import { openResult } from "./result.js";

const RETRY_MS = 1000;

const connection = document.getElementById("connection");

function showConnection(connected) {
  showText(connection, connected ? null : "The service does not answer. Reconnecting…");
}

/** The service's answer, tried again until it can be reached. */
async function retried(request) {
  for (;;) {
    try {
      const answer = await request();
      showConnection(true);
      return answer;
    } catch (error) {
      if (!(error instanceof Unreachable)) {
        showText(connection, error.message);
        throw error;
      }
      showConnection(false);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

const [kinds, networks] = await retried(() => Promise.all([getKinds(), getNetworks()]));
setKinds(kinds);
setNetworks(networks);

const gallery = openGallery();
const result = openResult({
  onreuse: (job) => form.reuse(job),
  onuse: (kind, params) => form.open(kind, params),
});
openLibrary();
const form = openForm((job) => {
  gallery.update(job);
  location.hash = `job=${job.id}`;
});

let unfollow = () => {};

/** Scroll to the result where it is out of sight: on a phone it is below the form. */
function scrollToResult() {
  const element = document.getElementById("result");
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) element.scrollIntoView();
}

/** Show the job that the address names, and follow it. */
function openAddress() {
  unfollow();
  showConnection(true);
  const id = new URLSearchParams(location.hash.slice(1)).get("job");
  gallery.select(id);
  if (!id) {
    result.clear();
    return;
  }
  scrollToResult();
  unfollow = follow(id, {
    onjob(job) {
      result.show(job);
      gallery.update(job);
    },
    onconnection: showConnection,
    onproblem: result.showProblem,
  });
}

addEventListener("hashchange", openAddress);
openAddress();
