"""What is kept of the epochs of a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """Measures of an epoch, counted from 1. Those of a part without pictures are None."""

    epoch: int
    loss: float
    accuracy: float | None
    rate: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    validation_macro_f1: float | None = None
