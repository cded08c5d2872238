"""Params of training: from a set of labelled pictures to a network of the catalogue."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from app.kinds.architectures import Architecture
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    CROP_SHARE,
    SMALLEST_SEEN,
    DatasetRef,
    LayerName,
    LayerNames,
    NetworkName,
    NewNetworkName,
    Seed,
)
from app.kinds.results.training import TrainResult
from app.kinds.spec import KindSpec
from app.kinds.training_presets import (
    PRESETS,
    Initialization,
    Metric,
    Objective,
    Optimizer,
    Rates,
    Transfer,
)
from app.kinds.work import DECODING, GRADIENT, SAMPLE_PIXELS, activation_bytes, forward_work
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue

Share = Annotated[float, Field(ge=0, le=1)]
# About the part of a set that is learnt from.
TRAINED_SHARE = 0.8
# Multiply-adds for each pixel of a network that is not built yet: its size counts, and no other compares.
PIXEL_WORK = 2e4
# Trainings that one job runs at most.
MOST_RUNS = 64


class TrainParams(Params):
    """Train a network on a set of labelled pictures."""

    dataset: DatasetRef = Field(
        title="Set",
        description="Pictures with labels: the classes.",
        json_schema_extra={"least_labels": 2},
    )
    preset: Literal["quick", "fine-tune", "from-scratch", "alexnet-2012"] = Field(
        "quick",
        title="Preset",
        description="What is not said otherwise.",
        json_schema_extra={"widget": "preset"},
    )
    name: NewNetworkName | None = Field(
        None,
        title="Name",
        description="Name of the new network. Empty: after the set and what it began with.",
    )
    # What is trained: a network that is here, or an architecture from random weights.
    base: NetworkName | None = Field(
        None,
        title="Begin with",
        description="A trained network whose features are used or tuned.",
        json_schema_extra={"empty_means": "none"},
    )
    transfer: Transfer | None = Field(
        None,
        title="Transfer",
        description="svm: a linear SVM on its features; head: a linear classifier on its frozen layers; "
        "last: its last blocks, too; all: every layer, the earlier the slower.",
    )
    feature_layer: LayerName | None = Field(
        None, title="Features", description="The layer of `base` whose mean is classified. Empty: the last."
    )
    compare_layers: LayerNames | None = Field(
        None,
        title="Compared layers",
        description="Also learn a linear classifier from each of these layers, and say how well it does.",
    )
    last_blocks: int | None = Field(
        None, ge=1, le=100, title="Blocks", description="Blocks that `last` tunes."
    )
    rate_decay: float | None = Field(
        None,
        gt=0,
        le=1,
        title="Rate decay",
        description="Of `all`: a block's rate over that of the next one.",
    )
    architecture: Architecture | None = Field(
        None,
        title="Architecture",
        description="Trained from random weights, in the place of a trained network.",
        json_schema_extra={"empty_means": "none"},
    )
    architecture_params: dict[str, bool | int | float | str] | None = Field(
        None, title="Its params", description='As `architecture` takes them, such as `{"width": 0.5}`.'
    )
    batch_norm: bool | None = Field(None, title="Batch norm", description="Behind each convolution.")
    initialization: Initialization | None = Field(
        None,
        title="Initialization",
        description="Variance of random weights. he: 2 / inputs; xavier: 1 / inputs; glorot: 2 / (inputs + "
        "outputs); constant: the square of `initial_std`.",
    )
    initial_std: float = Field(
        0.01, gt=0, le=1, title="Initial deviation", description="Of weights, of the initialization constant."
    )
    size: int | None = Field(
        None,
        ge=SMALLEST_SEEN,
        le=1024,
        title="Size",
        description="Side in pixels of the square that it is shown.",
    )
    # What is minimized.
    objective: Objective | None = Field(
        None,
        title="Objective",
        description="softmax: cross-entropy; logistic: each class against the rest; hinge: the multiclass "
        "SVM, squared_hinge: with squares; quadratic: least squares; triplet: an embedding.",
    )
    margin: float = Field(1.0, gt=0, le=100, title="Margin", description="Of the hinges and of triplet.")
    embedding: int = Field(
        64, ge=2, le=4096, title="Embedding", description="Numbers that triplet embeds in."
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None,
        title="Label smoothing",
        description="Share of the label that is spread over all classes; of softmax, logistic and quadratic.",
    )
    l1: float = Field(0.0, ge=0, le=1, title="L1", description="Weight of the sum of |w| in the objective.")
    l2: float = Field(
        0.0, ge=0, le=1, title="L2", description="Weight of half the sum of w² in the objective."
    )
    # How.
    epochs: int | None = Field(
        None,
        ge=1,
        le=10_000,
        title="Epochs",
        description="How often each picture is shown at most. Empty: the preset's, or with few pictures, as "
        "often as `least_steps` takes.",
    )
    least_steps: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        title="Least steps",
        description="There are more epochs than `epochs` if these have fewer steps. Empty: the preset's, or "
        "0 where `epochs` is said.",
    )
    batch_size: int | None = Field(
        None, ge=1, le=4096, title="Batch size", description="Pictures that a step learns from."
    )
    optimizer: Optimizer | None = Field(
        None, title="Optimizer", description="How a step follows the gradient."
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=100,
        title="Learning rate",
        description="Empty: the preset's, or the optimizer's usual.",
    )
    find_learning_rate: bool = Field(
        False, title="Find the rate", description="Look for the learning rate first, by a range test."
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, title="Momentum", description="Of sgd and muon: what a step keeps of the one before."
    )
    weight_decay: float | None = Field(
        None,
        ge=0,
        le=10,
        title="Weight decay",
        description="Of weights, not of biases and norms. sgd and adam add it times the weight to the "
        "gradient; adamw and muon take it times the rate of each weight in a step.",
    )
    schedule: Rates | None = Field(None, title="Schedule", description="Of the learning rate.")
    warm_up: Share | None = Field(None, title="Warm-up", description="Share of the steps of a rising rate.")
    step_epochs: int = Field(30, ge=1, le=10_000, title="Step", description="Of `step`: epochs between them.")
    rate_factor: float = Field(
        0.1, gt=0, lt=1, title="Rate factor", description="Of `step` and `plateau`: what each multiplies."
    )
    plateau_patience: int = Field(
        5, ge=1, le=1000, title="Plateau", description="Of `plateau`: epochs without progress before it."
    )
    average: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, title="Average", description="Decay a step of a moving average of the weights; 0: none is kept."
    )
    # When it ends. The best weights are restored, always.
    metric: Metric = Field("accuracy", title="Metric", description="On the validation part: what is best.")
    patience: int | None = Field(
        None,
        ge=0,
        le=10_000,
        title="Patience",
        description="Epochs without progress before it ends; 0: never.",
    )
    min_delta: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Least progress",
        description="What the metric has to gain to count as progress.",
    )
    # Augmentation.
    flip: bool | None = Field(None, title="Flip", description="Mirror half of the pictures.")
    crop: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, title="Crop", description="Smallest share of a picture's area that is shown; 1: all."
    )
    shift: Share | None = Field(None, title="Shift", description="Most of a side that a picture is moved.")
    rotation: Annotated[float, Field(ge=0, le=180)] | None = Field(
        None, title="Rotation", description="Degrees."
    )
    distortion: Annotated[float, Field(ge=0, le=0.5)] | None = Field(
        None, title="Distortion", description="Most of a side that a corner moves."
    )
    color: Share | None = Field(None, title="Color", description="Strength of changes of light and color.")
    cutout: Share | None = Field(
        None, title="Cutout", description="Side of a grey square, as share of a side."
    )
    mixup: Annotated[float, Field(ge=0, le=10)] | None = Field(
        None, title="Mixup", description="Alpha of the beta distribution of shares; 0: none."
    )
    cutmix: Annotated[float, Field(ge=0, le=10)] | None = Field(
        None, title="CutMix", description="Its alpha."
    )
    attack: Annotated[float, Field(ge=0, le=100)] | None = Field(
        None,
        title="Attack",
        description="L2 norm of an attack on half of each batch, at the end: what it learns is then "
        "clearer in pictures of its classes.",
    )
    # Several trainings.
    restarts: int = Field(
        1,
        ge=1,
        le=MOST_RUNS,
        title="Restarts",
        description="From other seeds; the best by validation is kept.",
    )
    folds: int | None = Field(
        None, ge=2, le=20, title="Folds", description="Cross-validation on all that is not in the test part."
    )
    search: dict[str, list[JsonValue]] | None = Field(
        None,
        title="Search",
        description='Values to try of some params: `{"learning_rate": [0.1, 0.01], '
        '"architecture_params.width": [16, 32]}`.',
    )
    ensemble: int | None = Field(
        None, ge=2, le=16, title="Ensemble", description="Keep the mean of so many of the best trainings."
    )
    seed: Seed = 0

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """What is for another objective, optimizer, schedule or initialization than those that there are."""
        from app.kinds.training_idle import without_effect

        return without_effect(values)

    def picture_short_side(self, field: str) -> int | None:
        """The side that pictures are kept at."""
        del field
        return None if self.size is None else round(self.size / CROP_SHARE)

    def network_need(self) -> NetworkNeed | None:
        """The network that it begins with."""
        return None if self.base is None else NetworkNeed(self.base, float32_weights=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedTraining | ResolvedFrozen":
        """Fill in what the preset gives, and what the base or the architecture gives.

        Every combination of ``search`` is checked, too.
        """
        # The modules that know what goes with what need these classes.
        from app.kinds.training_choices import resolve_training
        from app.kinds.training_runs import require_runs

        resolved = resolve_training(self, catalogue)
        require_runs(resolved, catalogue)
        return resolved


class ResolvedTraining(TrainParams):
    """Resolved params of a training by gradient descent."""

    size: int
    objective: Objective
    label_smoothing: float
    epochs: int
    least_steps: int
    batch_size: int
    optimizer: Optimizer
    learning_rate: float
    # Null for optimizers that have none.
    momentum: float | None
    weight_decay: float
    schedule: Rates
    warm_up: float
    average: float
    patience: int
    flip: bool
    crop: float
    shift: float
    rotation: float
    distortion: float
    color: float
    cutout: float
    mixup: float
    cutmix: float
    attack: float

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Gradients of all pictures that are shown in all trainings."""
        from app.kinds.training_runs import count_runs

        shown = max(self.epochs * TRAINED_SHARE * members, self.least_steps * self.batch_size)
        if self.base is None:
            each: float | None = GRADIENT * self.size**2 * PIXEL_WORK
        else:
            each = forward_work(card, self.size, GRADIENT, self.needed_layers())
        return None if each is None else count_runs(self) * shown * (DECODING + each)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of a batch."""
        return activation_bytes(card, self.batch_size * self.size**2)


class ResolvedFrozen(TrainParams):
    """Resolved params of a classifier that is solved for, without steps, on features of a frozen base."""

    base: NetworkName
    transfer: Literal["svm", "head"]
    feature_layer: LayerName
    size: int
    flip: bool

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """A pass over all pictures, and over their reflections, once for all trainings."""
        each = forward_work(card, self.size, 2 if self.flip else 1)
        return None if each is None else members * (DECODING + each)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of as many pictures as go forward at once."""
        return activation_bytes(card, max(self.size**2, SAMPLE_PIXELS), gradient=False)


SPEC = KindSpec(
    name="train",
    params=TrainParams,
    result=TrainResult,
    resolved=(ResolvedTraining, ResolvedFrozen),
    function="worker.training.train:train",
    lane="training",
    # Its devices start, and it reports on all pictures at its end.
    stall_seconds=1800.0,
    can_finish=True,
    title="Training",
    summary="From a set of labelled pictures to a network that every other kind can use.",
    submit_label="Train",
    group="Train",
    primary_fields=("preset", "base", "architecture", "epochs"),
    label_fields=("preset", "base", "architecture"),
    file_extensions=(".png",),
    presets=PRESETS,
    example={"dataset": "digits", "preset": "from-scratch"},
)
