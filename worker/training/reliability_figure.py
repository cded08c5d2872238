"""The picture of a calibration: how often answers of a probability are right."""

from collections.abc import Sequence

from torch import Tensor

from worker.training.charts import Line, axis_of, line_chart
from worker.training.confidence import Bin
from worker.understanding.figures import BAR, FAINT, WRONG, below

# Pixels of the upper chart and of the lower one.
WIDTH, HEIGHT, LOWER = 620, 420, 180


def reliability_figure(before: Sequence[Bin], after: Sequence[Bin], title: str) -> Tensor:
    """Accuracy over confidence before and after a temperature, and how many pictures there are, (1, 3, H, W).

    On the diagonal a probability is how often it is right.
    """
    across = axis_of([], low=0.0, high=1.0)
    lines = [
        Line("ideal", [(0.0, 0.0), (1.0, 1.0)], FAINT),
        Line("before", _points(before), BAR),
        Line("after", _points(after), WRONG),
    ]
    counts = [
        Line("before", [(each.high, float(each.count)) for each in before], BAR),
        Line("after", [(each.high, float(each.count)) for each in after], WRONG),
    ]
    most = max(each.count for each in [*before, *after])
    upper = line_chart(title, lines, axis_of([], low=0.0, high=1.0), across, width=WIDTH, height=HEIGHT)
    lower = line_chart(
        "pictures",
        counts,
        axis_of([0.0, float(most)], low=0.0),
        across,
        width=WIDTH,
        height=LOWER,
        label="probability of what a picture is taken for",
    )
    return below([upper, lower])


def _points(bins: Sequence[Bin]) -> list[tuple[float, float]]:
    return [
        (each.confidence, each.accuracy)
        for each in bins
        if each.confidence is not None and each.accuracy is not None
    ]
