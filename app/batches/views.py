"""What the API says of batches."""

from sqlalchemy import Engine

from app.batches.batch import Batch
from app.batches.repository import count_entries
from app.batches.schemas import PRIORITIES, BatchView

_PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}


def view_batch(engine: Engine, batch: Batch) -> BatchView:
    """The view of a batch at this moment."""
    return BatchView.model_validate(
        {
            **{name: getattr(batch, name) for name in ("id", "name", "source", "state", "paused", "lines")},
            "cancel_requested": batch.cancel_requested_at is not None,
            "priority": _PRIORITY_NAMES.get(batch.priority, batch.priority),
            "reproducible": batch.reproducible,
            "counts": vars(count_entries(engine, batch)),
            "eta_seconds": None,
            "first_errors": [],
            "samples": [],
            "matrix": batch.matrix,
            "created_at": batch.created_at,
            "finished_at": batch.finished_at,
        }
    )
