/** Starts the page: the form, the stage, the collection, and the job that the address names. */

import { getKinds, getNetworks, Unreachable } from "./api.js";
import { openCollection } from "./collection.js";
import { say } from "./dom.js";
import { follow } from "./follow.js";
import { learnKinds } from "./kinds.js";
import { openStage } from "./stage.js";
import { openStudio } from "./studio.js";

const RETRY = 1000;

const connection = document.getElementById("connection");

function link(connected) {
  say(connection, connected ? null : "The service does not answer. Reconnecting…");
}

/** What the service says, however long it takes to come up. */
async function patiently(ask) {
  for (;;) {
    try {
      const answer = await ask();
      link(true);
      return answer;
    } catch (error) {
      if (!(error instanceof Unreachable)) {
        say(connection, error.message);
        throw error;
      }
      link(false);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

const [kinds, networks] = await patiently(() => Promise.all([getKinds(), getNetworks()]));
learnKinds(kinds);

const collection = openCollection();
const stage = openStage({ onreuse: (job) => studio.reuse(job) });
const studio = openStudio(networks, (job) => {
  collection.update(job);
  location.hash = `job=${job.id}`;
});

let unfollow = () => {};

/** Bring the stage into sight where it is not: on a phone it hangs below the form. */
function faceStage() {
  const wall = document.getElementById("stage");
  const { top } = wall.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) wall.scrollIntoView();
}

/** Show the job that the address names, and follow it. */
function openAddress() {
  unfollow();
  link(true);
  const id = new URLSearchParams(location.hash.slice(1)).get("job");
  collection.select(id);
  if (!id) {
    stage.clear();
    return;
  }
  faceStage();
  unfollow = follow(id, {
    onjob(job) {
      stage.show(job);
      collection.update(job);
    },
    onlink: link,
    onlost: stage.lose,
  });
}

addEventListener("hashchange", openAddress);
openAddress();
