"""The picture of a gradient check."""

import math
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from worker.understanding.answers import heading
from worker.understanding.figures import Bar, bar_chart, below

# The errors at the ends of the bars, on a logarithmic scale.
SHORTEST, LONGEST = 1e-12, 1.0
WIDTH, MARGIN = 720, 16
TITLE, TEXT, SMALL = 24, 18, 14
LEGEND = (
    "Relative error, from 1e-12 to 1. Good: below 1e-7; ok where there are kinks: 1e-4; wrong: from 1e-2."
)
# Layers that are shown, those with the largest errors.
MOST = 60


def gradient_figure(layers: Sequence[dict[str, Any]], title: str) -> Tensor:
    """The relative error of each layer as a bar, (1, 3, H, W), from the picture on: the longer the worse."""
    kept = sorted(layers, key=lambda row: -row["relative_error"])[:MOST]
    shown = [row for row in layers if row in kept]
    bars = [
        Bar(
            row["layer"],
            length(row["relative_error"]),
            _text(row),
            "wrong" if row["verdict"] in ("suspicious", "wrong") else "right",
        )
        for row in shown
    ]
    parts = [
        heading(title, WIDTH, TITLE),
        heading(LEGEND, WIDTH, SMALL),
        bar_chart(bars, width=WIDTH, size=TEXT),
    ]
    return F.pad(below(parts), (MARGIN,) * 4, value=1.0)


def length(error: float) -> float:
    """How long the bar of a relative error is, in [0, 1]."""
    span = math.log10(LONGEST / SHORTEST)
    return min(1.0, math.log10(max(error, SHORTEST) / SHORTEST) / span)


def _text(row: dict[str, Any]) -> str:
    kinks = f", {row['kinks']} of {row['checked']} over kinks" if row["kinks"] else ""
    error = f"{row['relative_error']:.0e}".replace("e-0", "e-")
    return f"{error} {row['verdict']}{kinks}"
