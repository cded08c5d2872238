/** What became of a stored picture that did not load. */

/** It can be had: the browser may not know its format, or the service did not answer at first. */
export const HERE = "here";
export const DELETED = "deleted";
/** It is there, but cannot be read. */
export const DAMAGED = "damaged";
/** The service does not answer, or not now. */
export const UNKNOWN = "unknown";

const FATES = { 404: DELETED, 410: DELETED, 415: DAMAGED };

/** What the service says of a stored file now: {fate, type}; `type` is its media type, or null. */
export async function askFate(url) {
  try {
    const response = await fetch(url, { headers: { Range: "bytes=0-0" }, cache: "no-store" });
    await response.body?.cancel();
    if (!response.ok) return { fate: FATES[response.status] ?? UNKNOWN, type: null };
    return { fate: HERE, type: response.headers.get("Content-Type") };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { fate: UNKNOWN, type: null };
  }
}
