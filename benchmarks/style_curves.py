"""Plot the style and content distances that ``impasto palette evaluate styles -o FOLDER`` measured.

python -m benchmarks.style_curves FOLDER/figures.json -o docs/pictures/palette-styles.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.ticker import FixedLocator, NullFormatter

from worker.training.palette_report import STYLE_WEIGHTS

MARKS = {"trained": {"color": "#b3261e", "marker": "o"}, "random": {"color": "#7a7a7a", "marker": "s"}}
COLUMNS = 3


def draw_curves(curves: dict[str, list[list[float]]], path: Path) -> None:
    """A chart for each pair; ``curves`` has [style, content] at each weight, by "network photo painting"."""
    pairs = list(dict.fromkeys(key.split(" ", 1)[1] for key in curves))
    rows = -(-len(pairs) // COLUMNS)
    figure, charts = pyplot.subplots(
        rows, COLUMNS, figsize=(3.4 * COLUMNS, 3.0 * rows), sharex=True, sharey=True, squeeze=False
    )
    for chart in charts.flat[len(pairs) :]:
        chart.set_visible(False)
    for pair, chart in zip(pairs, charts.flat, strict=False):
        chart.set_title(pair.replace(" ", ", ").replace("_", " "), fontsize=9)
        for name, mark in MARKS.items():
            styles, contents = zip(*curves[f"{name} {pair}"], strict=True)
            chart.plot(contents, styles, label=name, markersize=4, linewidth=1.2, **mark)
        for weight, (style, content) in zip(STYLE_WEIGHTS, curves[f"trained {pair}"], strict=True):
            chart.annotate(
                f"{weight:g}", (content, style), textcoords="offset points", xytext=(4, 4), fontsize=7
            )
        chart.set_yscale("log")
        chart.yaxis.set_major_locator(FixedLocator([0.02, 0.05, 0.1, 0.2, 0.4]))
        chart.yaxis.set_major_formatter("{x:g}")
        chart.yaxis.set_minor_formatter(NullFormatter())
        chart.grid(alpha=0.25, which="both", linewidth=0.5)
    charts[0, 0].legend(fontsize=8, frameon=False)
    figure.supxlabel("distance from the content (relu3_3)", fontsize=9)
    figure.supylabel("distance from the style (relu1_1 to relu3_4)", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Read the measurements, draw the charts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("style-curves.png"))
    arguments = parser.parse_args()
    curves = json.loads(arguments.figures.read_text(encoding="utf-8"))["styles"]
    draw_curves(curves, arguments.output)


if __name__ == "__main__":
    main()
