"""Figures of results: their means over pairs, ratios, and tables."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Figures by name: "lite0 style", "chroma", ...
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """A result and its figures. ``picture`` is its file, ``inputs`` the hashes of content and style.

    ``style_weight`` is None for what somebody else published.
    """

    setting: str
    style_weight: float | None
    pair: str
    figures: Figures
    picture: str
    inputs: tuple[str, ...]


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean of positive numbers; NaN of none, 0 if one is 0."""
    found = list(values)
    if not found:
        return math.nan
    if min(found) <= 0:
        return 0.0
    return math.exp(sum(map(math.log, found)) / len(found))


def mean_figures(results: Sequence[Result]) -> dict[str, float]:
    """The geometric mean of each figure over the results that have it."""
    names = dict.fromkeys(name for each in results for name in each.figures)
    return {
        name: geometric_mean(each.figures[name] for each in results if name in each.figures) for name in names
    }


def ratios(results: Sequence[Result], others: Sequence[Result]) -> dict[str, float]:
    """The geometric mean over common pairs of each figure's ratio to that of another result of its pair."""
    by_pair = {each.pair: each for each in others}
    found: dict[str, list[float]] = {}
    for each in results:
        for name, value in each.figures.items():
            other = by_pair[each.pair].figures.get(name, 0.0) if each.pair in by_pair else 0.0
            if other > 0:
                found.setdefault(name, []).append(value / other)
    return {name: geometric_mean(values) for name, values in found.items()}


def grouped(results: Iterable[Result]) -> dict[tuple[str, float | None], list[Result]]:
    """The results of each setting and style weight, in their order."""
    groups: dict[tuple[str, float | None], list[Result]] = {}
    for each in results:
        groups.setdefault((each.setting, each.style_weight), []).append(each)
    return groups


def curve_ratio(first: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """How high a curve of (content, style) distances lies over the first: 0.9 is 10 % less style distance.

    The geometric mean of the ratio of the style distances at equal content distance, over the range that both
    curves have, each interpolated between its points in logarithms. NaN if they have no range in common.
    """
    ours, theirs = (np.log(sorted(curve)) for curve in (other, first))
    low, high = max(ours[0, 0], theirs[0, 0]), min(ours[-1, 0], theirs[-1, 0])
    if high <= low:
        return math.nan
    contents = np.linspace(low, high, 101)
    heights = [np.interp(contents, curve[:, 0], curve[:, 1]) for curve in (ours, theirs)]
    return math.exp(float((heights[0] - heights[1]).mean()))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns: the first to the left, the others to the right."""
    widths = [max(len(row[place]) for row in (heads, *rows)) for place in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join(map(line, (heads, *rows)))


def number(value: float | None) -> str:
    """Three significant digits; a dash for none."""
    return "-" if value is None or math.isnan(value) else f"{value:.3g}"


def pairs_table(results: Sequence[Result]) -> str:
    """Every result with its figures."""
    names = list(dict.fromkeys(name for each in results for name in each.figures))
    rows = [
        [each.pair, _label(each.setting, each.style_weight), *(number(each.figures.get(n)) for n in names)]
        for each in sorted(results, key=lambda each: each.pair)
    ]
    return table(["pair", "setting", *names], rows)


def means_table(results: Sequence[Result], published: Sequence[Result]) -> str:
    """The means of each setting and weight, with ratios to the first setting, and to what was published."""
    groups = grouped(results)
    first = next(iter(groups))[0]
    bases = [group for (setting, _), group in groups.items() if setting == first]
    names = list(dict.fromkeys(name for each in results for name in each.figures))
    heads = ["geometric means", "pairs"] + [head for name in names for head in (name, "ratio")]
    places: dict[str, int] = {}
    rows = []
    for (setting, weight), group in groups.items():
        # Weights are compared in their order, with the last of the first setting if that has fewer.
        place = places[setting] = places.get(setting, -1) + 1
        compared = ratios(group, bases[min(place, len(bases) - 1)])
        rows.append(_row(_label(setting, weight), group, names, compared))
    known = {each.pair for each in published}
    for (setting, weight), group in groups.items():
        common = [each for each in group if each.pair in known]
        if common:
            label = f"{_label(setting, weight)}, of published"
            rows.append(_row(label, common, names, ratios(common, published)))
    return table(heads, rows)


def _row(label: str, group: Sequence[Result], names: Sequence[str], compared: Figures) -> list[str]:
    means = mean_figures(group)
    cells = [cell for name in names for cell in (number(means.get(name)), _ratio(compared.get(name)))]
    return [label, str(len(group)), *cells]


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _label(setting: str, weight: float | None) -> str:
    return setting if weight is None else f"{setting} {weight:g}"


def curves(results: Sequence[Result], judge: str) -> dict[str, list[tuple[float, float]]]:
    """Of each setting the means (content, style) of a judge at each style weight."""
    found: dict[str, list[tuple[float, float]]] = {}
    for (setting, _), group in grouped(results).items():
        means = mean_figures(group)
        found.setdefault(setting, []).append((means[f"{judge} content"], means[f"{judge} style"]))
    return found


def curves_table(results: Sequence[Result], judges: Sequence[str]) -> str:
    """How each setting's curve lies to the first's, by each judge."""
    lines: dict[str, list[str]] = {}
    for judge in judges:
        found = curves(results, judge)
        first = next(iter(found.values()))
        for setting, curve in found.items():
            lines.setdefault(setting, []).append(number(curve_ratio(first, curve)))
    heads = ["style at equal content", *judges]
    return table(heads, [[setting, *cells] for setting, cells in lines.items()])
