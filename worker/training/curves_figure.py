"""The picture of a training: loss, accuracy and learning rate by epoch."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from worker.training.charts import Line, axis_of, line_chart
from worker.training.history import Epoch
from worker.understanding.figures import BAR, INK, WRONG, below

# Pixels of one chart.
WIDTH, HEIGHT = 620, 250


def curves_figure(history: Sequence[Epoch], best_epoch: int | None) -> Tensor:
    """Charts of a training that lasted one epoch or more, (1, 3, H, W).

    ``best_epoch`` is marked: 0 if none was better than the beginning, None where nothing was chosen.
    """
    epochs = [float(row.epoch) for row in history]
    across = axis_of(epochs, low=epochs[0], high=max(epochs[-1], epochs[0] + 1))
    between = [tick for tick in across.ticks if tick == round(tick) and tick > epochs[0]]
    across = replace(across, ticks=[epochs[0], *between])
    training = [Line("training", _points(history, name), BAR) for name in ("loss", "accuracy")]
    validation = [
        Line("validation", _points(history, name), WRONG)
        for name in ("validation_loss", "validation_accuracy")
    ]
    charts = {
        "loss": [training[0], validation[0]],
        "accuracy": [training[1], validation[1]],
        "learning rate": [Line("", _points(history, "rate"), INK)],
    }
    made = []
    for title, lines in charts.items():
        there = [line for line in lines if line.points]
        values = [y for line in there for _, y in line.points]
        upward = axis_of(
            values,
            low=0.0 if title == "learning rate" else None,
            high=1.0 if title == "accuracy" else None,
        )
        label = "epoch" if title == "learning rate" else ""
        mark = None
        if best_epoch is not None:
            words = f"best: {best_epoch}" if best_epoch else "best: before the first epoch"
            # Beside high accuracies there is no room for words.
            mark = (max(float(best_epoch), epochs[0]), words if title == "loss" else "")
        made.append(
            line_chart(title, there, upward, across, width=WIDTH, height=HEIGHT, label=label, mark=mark)
        )
    return below(made)


def _points(history: Sequence[Epoch], name: str) -> list[tuple[float, float]]:
    """The epochs that have a value, with it."""
    found = ((float(row.epoch), getattr(row, name)) for row in history)
    return [(epoch, value) for epoch, value in found if value is not None]
