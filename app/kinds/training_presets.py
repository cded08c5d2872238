"""What a training chooses between, and presets of all of it."""

from collections.abc import Mapping
from typing import Any, Literal

from app.kinds.architectures import Architecture
from app.kinds.spec import Preset
from app.networks.catalogue import DEFAULT_CLASSIFIER

Transfer = Literal["svm", "head", "last", "all"]
Objective = Literal["softmax", "logistic", "hinge", "squared_hinge", "quadratic", "triplet"]
Optimizer = Literal["sgd", "adam", "adamw", "muon"]
Rates = Literal["constant", "step", "plateau", "cosine", "one_cycle"]
Metric = Literal["accuracy", "loss", "macro_f1"]
Initialization = Literal["he", "xavier", "glorot", "constant"]


class TrainPreset(Preset):
    """Values of the params that are null.

    Those of a frozen base have no optimizer. ``attack`` is at 64 px, and in proportion to the side.
    """

    base: str | None = None
    transfer: Transfer | None = None
    architecture: Architecture | None = None
    architecture_params: Mapping[str, Any] = {}
    batch_norm: bool = False
    initialization: Initialization = "he"
    objective: Objective = "softmax"
    label_smoothing: float = 0.0
    epochs: int | None = None
    least_steps: int = 0
    batch_size: int | None = None
    optimizer: Optimizer | None = None
    learning_rate: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Rates = "constant"
    warm_up: float = 0.0
    average: float = 0.0
    patience: int = 0
    flip: bool = False
    crop: float = 1.0
    shift: float = 0.0
    rotation: float = 0.0
    distortion: float = 0.0
    color: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    attack: float = 0.0


PRESETS: dict[str, TrainPreset] = {
    "quick": TrainPreset(
        summary="A linear classifier on the features of a trained network: seconds, and good with few "
        "pictures.",
        base=DEFAULT_CLASSIFIER,
        transfer="head",
        flip=True,
    ),
    # A tenth of the optimizer's usual rate: the norms of a base are part of its convolutions, and with 1e-3 a
    # palette that was tuned to 60 digits forgot them.
    "fine-tune": TrainPreset(
        summary="A trained network, tuned to the pictures layer by layer: minutes, and the best with some "
        "dozens of pictures a class.",
        base=DEFAULT_CLASSIFIER,
        transfer="all",
        epochs=12,
        batch_size=16,
        optimizer="adamw",
        learning_rate=1e-4,
        weight_decay=0.01,
        schedule="one_cycle",
        label_smoothing=0.1,
        flip=True,
        crop=0.5,
        color=0.2,
    ),
    # Muon and attacks as palette was trained: what such a network imagines of its classes can be recognized.
    # Half of Muon's usual rate: with 20 pictures of each of 8 drawn classes and 400 steps of 16, it knew 68 %
    # of new ones, against 60 % with 0.02 and 65 % with 0.005; with the 1,000 steps of this preset, 76 %.
    "from-scratch": TrainPreset(
        summary="A network of its own from random weights: needs more pictures, and nothing but them.",
        architecture="cnn",
        batch_norm=True,
        epochs=40,
        least_steps=1000,
        batch_size=32,
        optimizer="muon",
        learning_rate=0.01,
        weight_decay=5e-4,
        schedule="one_cycle",
        average=0.99,
        label_smoothing=0.1,
        crop=0.6,
        shift=0.05,
        color=0.2,
        attack=2.0,
    ),
    # Krizhevsky, Sutskever, Hinton (NIPS 2012), sections 4 and 5; 224 of 256 px are 0.76 of the area.
    "alexnet-2012": TrainPreset(
        summary="AlexNet as it was trained in 2012: needs thousands of pictures, and a GPU.",
        architecture="alexnet_2012",
        epochs=90,
        batch_size=128,
        optimizer="sgd",
        learning_rate=0.01,
        weight_decay=5e-4,
        schedule="plateau",
        flip=True,
        crop=0.76,
        color=0.1,
    ),
}
