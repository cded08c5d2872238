"""What is usual for optimizers, and what objectives cannot do, without torch."""

from collections.abc import Mapping

from app.errors import InputError

# The learning rates of their authors or of torch: SGD with momentum as in PyTorch's recipes for small
# batches; Adam, Kingma and Ba (ICLR 2015), section 6; AdamW as torch.optim; Muon, Jordan et al. (2024).
USUAL_RATES: Mapping[str, float] = {"sgd": 0.05, "adam": 1e-3, "adamw": 1e-3, "muon": 0.02}

# Objectives that want some distance between what they compare, and optimizers that keep a part of each step.
WITH_MARGIN = ("hinge", "squared_hinge", "triplet")
WITH_MOMENTUM = ("sgd", "muon")

# Objectives that compare scores with targets, which may lie between 0 and 1.
SMOOTHABLE = ("softmax", "logistic", "quadratic")


def require_smoothable(objective: str, label_smoothing: float) -> None:
    """Check that the labels of an objective can be smoothed. Raises InputError on ``label_smoothing``."""
    if label_smoothing > 0 and objective not in SMOOTHABLE:
        raise InputError(
            "label_smoothing",
            f"{objective} compares scores with each other, and has no labels to smooth: leave this at 0, or "
            f"choose one of {', '.join(SMOOTHABLE)}.",
        )
