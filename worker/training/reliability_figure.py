"""The picture of a calibration: how often answers of a probability are right."""

from collections.abc import Sequence

from torch import Tensor

from worker.training.charts import Axis, Color, Line, axis_of, line_chart
from worker.training.confidence import Bin
from worker.understanding.figures import BAR, FAINT, WRONG, below

# Pixels of the upper chart and of the lower one.
WIDTH, HEIGHT, LOWER = 620, 480, 170
# Radii of the dots of a bin with few pictures, and of that with most.
DOTS = (3.0, 11.0)
# Shares, with room for dots at their ends.
SHARES = Axis(-0.04, 1.04, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


def reliability_figure(before: Sequence[Bin], after: Sequence[Bin], title: str) -> Tensor:
    """Accuracy over confidence before and after a temperature, and how many pictures there are, (1, 3, H, W).

    On the diagonal a probability is how often it is right. The more pictures, the larger is a dot.
    """
    most = max(each.count for each in [*before, *after])
    lines = [
        Line("ideal", [(0.0, 0.0), (1.0, 1.0)], FAINT),
        _dots("before", before, most, BAR),
        _dots("after", after, most, WRONG),
    ]
    counts = [_steps("before", before, BAR), _steps("after", after, WRONG)]
    upper = line_chart(title, lines, SHARES, SHARES, width=WIDTH, height=HEIGHT)
    lower = line_chart(
        "pictures",
        counts,
        axis_of([0.0, float(most)], low=0.0),
        SHARES,
        width=WIDTH,
        height=LOWER,
        label="probability of what a picture is taken for",
    )
    return below([upper, lower])


def _dots(name: str, bins: Sequence[Bin], most: int, color: Color) -> Line:
    """A dot for each bin that has pictures; its area tells how many."""
    found = [
        (each.confidence, each.accuracy, each.count)
        for each in bins
        if each.confidence is not None and each.accuracy is not None
    ]
    least, largest = DOTS
    radii = [least + (largest - least) * (count / most) ** 0.5 for _, _, count in found]
    return Line(name, [(confidence, accuracy) for confidence, accuracy, _ in found], color, radii)


def _steps(name: str, bins: Sequence[Bin], color: Color) -> Line:
    """The outline of a histogram."""
    return Line(name, [(x, float(each.count)) for each in bins for x in (each.low, each.high)], color)
