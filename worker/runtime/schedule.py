"""When a running job reports: progress, previews and checkpoints, none of them too often."""

import time

from worker.contract.steps import Step

PROGRESS_SECONDS = 0.25
PREVIEW_SECONDS = 0.5
# The share of a job's time that saving checkpoints may take, and the same of previews.
CHECKPOINT_SHARE = 0.05
PREVIEW_SHARE = 0.05
# Weight of the latest interval in the moving average of seconds per step.
PACE_WEIGHT = 0.3


class Schedule:
    """The times of the next reports of one attempt, and its pace. Times are of ``time.monotonic``.

    Of ``sharing`` attempts that take turns each reports so many times less often.
    """

    def __init__(self, checkpoint_seconds: float, sharing: int = 1) -> None:
        started = time.monotonic()
        self._checkpoint_seconds = checkpoint_seconds
        self._sharing = sharing
        self._next_progress = self._next_milestone = started
        # A job that ends before needs none; those of several would delay the first steps of all.
        self._next_preview = started + PREVIEW_SECONDS * sharing
        self._next_checkpoint = started + checkpoint_seconds
        self._last = (started, 0)
        self._pace: float | None = None

    def progress_is_due(self, step: Step, now: float) -> bool:
        """Whether to report progress; if so, the next report is due an interval later."""
        due = now >= self._next_progress or step.done == step.total
        if due:
            self._next_progress = now + PROGRESS_SECONDS * self._sharing
        return due

    def preview_is_due(self, step: Step, now: float) -> bool:
        """Whether to save a preview; never of the last step, which makes the picture itself."""
        return now >= self._next_preview and step.done != step.total

    def preview_ended(self, started: float) -> None:
        """The next preview is due when one that began at ``started``, saved or not, has cost its share."""
        now = time.monotonic()
        self._next_preview = now + self._sharing * max(PREVIEW_SECONDS, (now - started) / PREVIEW_SHARE)

    def checkpoint_is_due(self, step: Step, now: float) -> bool:
        """Whether to save a checkpoint: after the interval, after a milestone sooner."""
        due = self._next_milestone if step.milestone else self._next_checkpoint
        return now >= due and step.done != step.total

    def checkpoint_ended(self, started: float) -> None:
        """The next checkpoint is due when one that began at ``started``, saved or not, has cost its share."""
        now = time.monotonic()
        self._next_milestone = now + self._sharing * (now - started) / CHECKPOINT_SHARE
        self._next_checkpoint = max(self._next_milestone, now + self._checkpoint_seconds)

    def eta_seconds(self, step: Step, now: float) -> float | None:
        """Estimate of the seconds to the last step; None until two reports have been made."""
        before, done = self._last
        self._last = (now, step.done)
        # The first interval includes loading and warming up, which happen once.
        if done > 0 and step.done > done:
            pace = (now - before) / (step.done - done)
            old = self._pace if self._pace is not None else pace
            self._pace = PACE_WEIGHT * pace + (1 - PACE_WEIGHT) * old
        if self._pace is None:
            return 0.0 if step.done == step.total else None
        return round(self._pace * (step.total - step.done), 2)
