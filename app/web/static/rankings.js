/** Classes with their probabilities as bars; a click on a class asks what of the picture speaks for it. */

import { pictureUrl } from "./api.js";
import { el } from "./dom.js";
import { nameOf } from "./image_names.js";
import { smallUrl } from "./jobs.js";
import { isPicture, kindOf } from "./kinds.js";
import { capitalized, spaced } from "./text.js";

/** Longer rankings scroll. */
const MAX_ROWS = 12;

const isRanking = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((row) => typeof row?.class === "string" && typeof row.probability === "number");

/** The rankings of a result by title: its own `top`, or one for each of its pictures or networks. */
function rankingsOf(result) {
  if (isRanking(result.top)) return [{ title: null, place: 0, rows: result.top, network: null, verdict: result.verdict ?? null }];
  return (result.pictures ?? [])
    .map((entry, place) => ({ title: entry.name ?? null, place, rows: entry.top, network: entry.network ?? null, verdict: entry.verdict ?? null }))
    .filter(({ rows }) => isRanking(rows));
}

const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

function bar(row, onclick) {
  const name = onclick
    ? el("button", { type: "button", class: "link class-name", onclick, title: "What speaks for it?" }, spaced(row.class))
    : el("span", { class: "class-name" }, spaced(row.class));
  const track = el("span", { class: "share-track", "aria-hidden": "true" }, el("span", { class: "share" }));
  track.firstChild.style.setProperty("--share", `${100 * row.probability}%`);
  return el("li", { class: "ranking-row" }, name, el("span", { class: "share-text" }, percent(row.probability)), track);
}

/**
 * Elements for the rankings of a job; none if it has none. `onclass({name, index, reference, network})` is called
 * when a class is clicked, for kinds whose pictures can be looked into.
 */
export function rankingElements(job, onclass) {
  const kind = kindOf(job.kind);
  const rankings = rankingsOf(job.result ?? {});
  const param = kind?.params.find((each) => isPicture(each) && job.params[each.name]);
  const references = param ? [job.params[param.name]].flat() : [];
  // A picture has as many entries as there are networks that are compared, one after the other.
  const entries = Math.max(1, (job.result?.pictures ?? []).length / references.length);
  const looks = kind?.class_looks ?? [];
  return rankings.map(({ title, place, rows, network, verdict }) => {
    const reference = references[Math.floor(place / entries)];
    const onclick = ({ class: name, index }) =>
      looks.length && reference ? () => onclass({ name, index, reference, network: network ?? job.params.network }) : null;
    const name = title ?? (rankings.length > 1 && reference ? nameOf(reference) : null);
    const caption = [name, network].filter(Boolean).join(", ");
    const image = rankings.length > 1 && reference
      ? el("img", { src: smallUrl(pictureUrl(reference)), alt: "", loading: "lazy", decoding: "async" })
      : null;
    const isLong = rows.length > MAX_ROWS;
    const list = { class: isLong ? "ranking-rows scroll" : "ranking-rows", tabindex: isLong ? 0 : null, "aria-label": "Classes" };
    return el(
      "div",
      { class: "ranking" },
      image,
      el(
        "div",
        { class: "ranking-body" },
        caption ? el("p", { class: "ranking-title" }, caption) : null,
        verdict ? el("p", { class: "ranking-verdict" }, capitalized(verdict)) : null,
        el("ol", list, ...rows.map((row) => bar(row, onclick(row)))),
      ),
    );
  });
}
