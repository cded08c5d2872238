"""Tells the database how a job gets on: progress, previews, checkpoints, none of them too often."""

import logging
import time
from collections.abc import Mapping

from sqlalchemy.exc import OperationalError
from torch import Tensor

from app.jobs import claims
from app.jobs.claims import Claim
from app.jobs.job import Artifact, Json
from app.jobs.storage_keys import work_folder
from app.storage import StorageFull
from worker.contract.steps import Step
from worker.media.pictures import encode_preview
from worker.runtime import checkpoints
from worker.runtime.context import WorkerContext
from worker.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.25
PREVIEW_SECONDS = 0.5
# Saving checkpoints may take this share of a job's time.
CHECKPOINT_SHARE = 0.05
# Weight of the latest interval in the estimate of the pace.
PACE_WEIGHT = 0.3


class Reporter:
    """Reports the steps of one claim. Raises ClaimLost if the claim is lost."""

    def __init__(
        self, context: WorkerContext, claim: Claim, heart: Heartbeat, parts: Mapping[str, str]
    ) -> None:
        """``parts`` are the keys of the parts that the checkpoint it goes on from has stored, by name."""
        self._context = context
        self._claim = claim
        self._heart = heart
        started = time.monotonic()
        self._next_progress = self._next_preview = started
        self._next_checkpoint = started + context.settings.checkpoint_seconds
        self._next_precious = started
        self._parts = dict(parts)
        self._last = (started, 0)
        self._pace: float | None = None
        self.progress: Json | None = None
        self._checkpoint_key: str | None = (claim.job.checkpoint or {}).get("key")

    def report(self, step: Step) -> None:
        """Report a step, as far as something is due."""
        now = time.monotonic()
        last = step.done == step.total
        try:
            if now >= self._next_progress or last:
                self._next_progress = now + PROGRESS_SECONDS
                self._save_progress(step, now)
            if step.image is not None and now >= self._next_preview and not last:
                self._save_preview(step.image())
                self._next_preview = time.monotonic() + PREVIEW_SECONDS
            due = self._next_precious if step.milestone else self._next_checkpoint
            if now >= due and not last:
                self.save_checkpoint(step)
        except (OperationalError, StorageFull) as error:
            # The job itself goes on: a report that is lost is made up by the next one.
            log.warning("job %s: report not saved: %s", self._claim.job.id, error)

    def save_checkpoint(self, step: Step) -> None:
        """Save the state after a step, then drop the checkpoint before it."""
        started = time.monotonic()
        attempt = self._claim.attempt
        # Under the attempt's own name, as one that lost its claim may still be at work.
        prefix = f"{work_folder(self._claim.job.id)}/{attempt}"
        key = f"{prefix}-{step.done}.safetensors"
        self._parts = checkpoints.save(self._context.storage, key, step.state(), self._parts, prefix)
        claims.save_checkpoint(self._context.engine, self._claim, key, step.done)
        if self._checkpoint_key not in (None, key):
            self._context.storage.delete(self._checkpoint_key)
        self._checkpoint_key = key
        now = time.monotonic()
        self._next_precious = now + (now - started) / CHECKPOINT_SHARE
        self._next_checkpoint = max(self._next_precious, now + self._context.settings.checkpoint_seconds)

    def _save_progress(self, step: Step, now: float) -> None:
        self.progress = {
            "done": step.done,
            "total": step.total,
            "losses": step.losses(),
            "eta_seconds": self._eta(step, now),
        }
        self._heart.learn(claims.report_progress(self._context.engine, self._claim, self.progress))
        self._context.dispatcher.changed(self._claim.job.id)

    def _eta(self, step: Step, now: float) -> float | None:
        before, done = self._last
        self._last = (now, step.done)
        # The first step carries the loading and warming up, which do not come again.
        if done > 0 and step.done > done:
            pace = (now - before) / (step.done - done)
            old = self._pace if self._pace is not None else pace
            self._pace = PACE_WEIGHT * pace + (1 - PACE_WEIGHT) * old
        if self._pace is None:
            return 0.0 if step.done == step.total else None
        return round(self._pace * (step.total - step.done), 2)

    def _save_preview(self, image: Tensor) -> None:
        job_id = self._claim.job.id
        key = f"{work_folder(job_id)}/{self._claim.attempt}-preview.jpg"
        stored = self._context.storage.put(key, encode_preview(image))
        claims.save_preview(
            self._context.engine,
            self._claim,
            Artifact(job_id, "preview", key, "image/jpeg", stored.bytes, stored.sha256),
        )
        self._context.dispatcher.changed(job_id)
