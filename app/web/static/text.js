/** Numbers, times and names as text. */

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const list = new Intl.ListFormat("en");
const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

/** Seconds as "8 s", "2 min 5 s" or "1 h 12 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Seconds between two ISO times. */
export function secondsBetween(from, to) {
  return (new Date(to) - new Date(from)) / 1000;
}

/** An ISO time as "3 minutes ago". */
export function ago(iso) {
  let value = (Date.now() - new Date(iso)) / 1000;
  if (value < 60) return "just now";
  for (const [unit, size] of UNITS) {
    if (value < size) return relative.format(-Math.round(value), unit);
    value /= size;
  }
  return iso;
}

/** A number with at most three significant digits, without an exponent where it is short. */
export function formatNumber(value) {
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1e7 || (rounded !== 0 && Math.abs(rounded) < 1e-4)
    ? rounded.toExponential()
    : String(rounded);
}

export const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** "a", "a and b", "a, b, and c". */
export const joined = (names) => list.format(names.map(String));

/** "objective_before" as "objective before"; names of layers (relu3_1) stay as they are. */
export const spaced = (name) => name.replace(/(?<=[a-z])_(?=[a-z])/g, " ");

/** A file's name as a title: "golden_gate.jpg" as "Golden gate". */
export function titleOfFile(filename) {
  return capitalized(filename.replace(/\.[a-z0-9]{2,5}$/i, "").replace(/[_-]+/g, " ").trim() || filename);
}

/** "1 picture", "1,797 pictures". */
export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Bytes as "3.4 MB", "12 kB" or "81 bytes". */
export function fileSize(bytes) {
  if (bytes < 1e3) return counted(bytes, "byte");
  return bytes < 1e6 ? `${formatNumber(bytes / 1e3)}\u00a0kB` : megabytes(bytes);
}

/** Bytes as "3.4 MB". */
export function megabytes(bytes) {
  return `${formatNumber(bytes / 1e6)}\u00a0MB`;
}

const MAX_NAME = 60;

/** A name as the service takes it, from a title, that none of `others` ({name}) has; `fallback` if nothing is left. */
export function freeNameOf(title, others, fallback) {
  // Without accents: "Äpfel (2)" as "apfel-2".
  const letters = title.normalize("NFKD").replace(/\p{Mark}/gu, "").toLowerCase();
  const plain = letters.replace(/[^a-z0-9._]+/g, "-");
  const base = plain.replace(/^[^a-z0-9]+|-+$/g, "").slice(0, MAX_NAME - 4) || fallback;
  const taken = new Set(others.map(({ name }) => name));
  let name = base;
  for (let count = 2; taken.has(name); count += 1) name = `${base}-${count}`;
  return name;
}
