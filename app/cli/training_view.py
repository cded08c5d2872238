"""A training on the terminal: a table of its epochs that grows, and the time left."""

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from app.cli.messages import progress_bar

if TYPE_CHECKING:
    from worker.contract.steps import Step

# Epochs that are shown, the last ones.
_SHOWN = 14
# Seconds between two looks at the numbers of a step, and between two lines where there is no terminal.
_LOOK, _LINE = 0.05, 2.0

Numbers = Mapping[str, float]
# Title of a column, and the number in it.
_COLUMNS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "validation loss": "validation.loss",
    "validation accuracy": "validation.accuracy",
    "rate": "rate",
}


class TrainingView:
    """Shows the steps of a training; use it as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = progress_bar()
        self._task = self._progress.add_task("Training", total=None, number="")
        # The last numbers of each epoch, by the training that it is of and the epoch.
        self._epochs: dict[tuple[int, int], Numbers] = {}
        self._message = ""
        self._looked = self._printed = -math.inf
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=8)

    def __enter__(self) -> "TrainingView":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._print_line()

    def say(self, message: str) -> None:
        """Show a line below."""
        self._message = message
        if not self._console.is_terminal:
            self._console.print(message, highlight=False, markup=False)

    def show(self, step: "Step") -> None:
        """Show a step. Its numbers are looked at now and then, and at the end of an epoch."""
        self._progress.update(self._task, completed=step.done, total=step.total)
        now = time.monotonic()
        if not step.milestone and step.done < step.total and now - self._looked < _LOOK:
            return
        self._looked = now
        numbers = step.losses()
        epoch = numbers.get("epoch")
        if epoch is None:
            return
        key = int(numbers.get("run", 1)), math.ceil(epoch)
        if not self._console.is_terminal and key not in self._epochs and now - self._printed >= _LINE:
            self._print_line()
        self._epochs[key] = numbers
        while len(self._epochs) > _SHOWN:
            del self._epochs[next(iter(self._epochs))]

    def _print_line(self) -> None:
        """Print the last epoch, if there is one, where there is no terminal."""
        if not self._epochs:
            return
        (run, epoch), numbers = list(self._epochs.items())[-1]
        which = f"training {run}, epoch {epoch}" if "run" in numbers else f"epoch {epoch}"
        cells = (f"{title} {_number(title, numbers)}" for title in _COLUMNS)
        self._console.print(f"{which}: {', '.join(cells)}", highlight=False, markup=False, soft_wrap=True)
        self._printed = time.monotonic()

    def _render(self) -> Group:
        table = Table(show_edge=False, pad_edge=False)
        several = len({run for run, _ in self._epochs}) > 1
        for title in (*(["run"] if several else []), "epoch", *_COLUMNS):
            table.add_column(title, justify="right", min_width=7)
        for (run, epoch), numbers in list(self._epochs.items()):
            cells = (_number(title, numbers) for title in _COLUMNS)
            table.add_row(*([str(run)] if several else []), str(epoch), *cells)
        parts = (
            ([table] if self._epochs else []),
            [self._progress],
            ([self._message] if self._message else []),
        )
        return Group(*(part for group in parts for part in group))


def _number(title: str, numbers: Numbers) -> str:
    """The number of a column, as a person reads it."""
    value = numbers.get(_COLUMNS[title])
    if value is None:
        return "-"
    return f"{value:.1%}" if "accuracy" in title else f"{value:.3g}" if title == "rate" else f"{value:.4f}"
