"""The progress bar of a batch."""

from types import TracebackType

from app.cli.messages import progress_bar


class BatchProgress:
    """A bar on stderr: entries that are done, how many failed, and the time left."""

    def __init__(self, title: str, total: int | None) -> None:
        self._bar = progress_bar()
        self._task = self._bar.add_task(title, total=total, number="")
        self._ended, self._failed = 0, 0

    def __enter__(self) -> "BatchProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the bar as it is."""
        self._bar.stop()

    def say(self, text: str) -> None:
        """Show another title."""
        self._bar.update(self._task, description=text)

    def done(self) -> None:
        """One more is done."""
        self._count(1, 0)

    def failed(self) -> None:
        """One more has failed."""
        self._count(1, 1)

    def again(self) -> None:
        """One that had failed is tried again."""
        self._count(-1, -1)

    def part(self, share: float) -> None:
        """So much of those that are computed now is done, from 0 to their number."""
        self._bar.update(self._task, completed=self._ended + share)

    def at(self, ended: int, failed: int, total: int) -> None:
        """So many have ended, and failed, of all."""
        self._ended, self._failed = ended, failed
        self._bar.update(self._task, total=total)
        self._show()

    def _count(self, ended: int, failed: int) -> None:
        self._ended += ended
        self._failed += failed
        self._show()

    def _show(self) -> None:
        number = f"{self._failed:,} failed" if self._failed else ""
        self._bar.update(self._task, completed=self._ended, number=number)
