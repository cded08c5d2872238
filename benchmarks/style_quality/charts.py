"""Charts of style against content distance."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot

from benchmarks.style_quality.report import Result, curves, grouped


def draw_curves(results: Sequence[Result], judges: Sequence[str], pairs: int, path: Path) -> None:
    """A chart for each judge with a curve for each setting: means over pairs at each style weight."""
    figure, charts = pyplot.subplots(1, len(judges), figsize=(4.6 * len(judges), 4.2), squeeze=False)
    weights = {name: [w for _, w in keys] for name, keys in groupby(grouped(results), lambda key: key[0])}
    for judge, chart in zip(judges, charts.flat, strict=True):
        for setting, curve in curves(results, judge).items():
            contents, styles = zip(*curve, strict=True)
            chart.plot(contents, styles, label=setting, marker="o", markersize=4, linewidth=1.2)
            for weight, point in zip(weights[setting], curve, strict=True):
                chart.annotate(f"{weight:g}", point, textcoords="offset points", xytext=(4, 4), fontsize=7)
        chart.set_xscale("log")
        chart.set_yscale("log")
        for axis in (chart.xaxis, chart.yaxis):
            axis.set_major_formatter("{x:.2g}")
            axis.set_minor_formatter("{x:.2g}")
        chart.tick_params(which="both", labelsize=7)
        chart.grid(alpha=0.25, which="both", linewidth=0.5)
        chart.set_title(f"{judge}, {pairs} pairs", fontsize=9)
        chart.set_xlabel("distance from the content", fontsize=9)
    charts[0, 0].set_ylabel("distance from the style", fontsize=9)
    charts[0, 0].legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
