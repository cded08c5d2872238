/** The question before the page is left while files are on their way, or something is not kept: it would be lost silently. */

let reasons = 0;

const ask = (event) => event.preventDefault();

/**
 * Ask before the page is left, until the function that this returns is called. There is no listener at other times: a
 * browser would not keep the page for the way back.
 */
export function askBeforeLeaving() {
  reasons += 1;
  if (reasons === 1) addEventListener("beforeunload", ask);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    reasons -= 1;
    if (reasons === 0) removeEventListener("beforeunload", ask);
  };
}

/** What `send()` resolves to; until then, leaving the page is asked about. */
export async function askedMeanwhile(send) {
  const end = askBeforeLeaving();
  try {
    return await send();
  } finally {
    end();
  }
}
