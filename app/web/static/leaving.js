/** The question before the page is left while files are on their way: what was not sent would be lost silently. */

let sending = 0;

const ask = (event) => event.preventDefault();

/**
 * What `send()` resolves to; until then, leaving the page is asked about. There is no listener at other times: a browser
 * would not keep the page for the way back.
 */
export async function askedMeanwhile(send) {
  sending += 1;
  if (sending === 1) addEventListener("beforeunload", ask);
  try {
    return await send();
  } finally {
    sending -= 1;
    if (sending === 0) removeEventListener("beforeunload", ask);
  }
}
