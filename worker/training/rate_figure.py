"""The picture of a learning-rate range test."""

from collections.abc import Sequence

from torch import Tensor

from worker.training.charts import Axis, Line, axis_of, line_chart
from worker.training.rate_finder import FIRST, LAST, RatePoint
from worker.understanding.figures import BAR, number

WIDTH, HEIGHT = 760, 420
# Where the loss goes far beyond where it began it is not shown, so that the valley is.
MOST = 1.5
BATCHES = (176, 180, 190)


def rate_figure(points: Sequence[RatePoint], suggestion: float | None) -> Tensor:
    """The losses and their moving average over the learning rate, and the suggestion, (1, 3, H, W)."""
    limit = MOST * points[0].smoothed if points else 1.0
    lines = [
        Line("of a batch", [(point.rate, point.loss) for point in points if point.loss < limit], BATCHES),
        Line("average", [(point.rate, point.smoothed) for point in points if point.smoothed < limit], BAR),
    ]
    values = [y for line in lines for _, y in line.points]
    powers = [10.0**power for power in range(-7, 2)]
    return line_chart(
        "Loss",
        lines,
        axis_of(values, low=min(values, default=0.0) * 0.95, high=max(values, default=1.0) * 1.05),
        Axis(FIRST, LAST, powers, logarithmic=True),
        width=WIDTH,
        height=HEIGHT,
        label="learning rate",
        mark=None if suggestion is None else (suggestion, f"suggested: {number(suggestion)}"),
    )
