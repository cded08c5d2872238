"""Transfer: a network for new classes from the layers of one that is trained already.

The features of the base are computed once. On them a linear classifier is learned; it is the result where the
trunk is frozen, and where blocks are tuned it is what they begin with, since gradients through a random
classifier distort good features: Kumar, Raghunathan, Jones, Ma, Liang, "Fine-tuning can distort pretrained
features and underperform out-of-distribution" (ICLR 2022), section 3.3; the frozen epoch of fastai's
``fine_tune`` does the same by gradient descent.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from app.datasets.split import Part
from app.errors import InputError
from app.kinds.train import Metric
from app.kinds.transferring import Way, blocks_of, suggest
from models.architectures import classifier_on
from models.network import Network
from models.trainable import Trainable, make_trainable
from worker.contract.steps import Step, StepState
from worker.training.features import Features, Show, collect_features
from worker.training.linear_heads import Examples, FittedHead, LinearHead, Solver, fit_head
from worker.training.objectives import Objective
from worker.training.similarity import Similarity, measure_similarity


@dataclass(frozen=True)
class TransferSettings:
    """How a classifier is learned from features; resolved params by the same names fill it.

    ``strength`` is that of L2; None: chosen on the validation part.
    """

    transfer: Way
    feature_layer: str
    compare_layers: Sequence[str] = ()
    flip: bool = False
    metric: Metric = "accuracy"
    strength: float | None = None
    last_blocks: int = 1
    rate_decay: float = 1.0

    @property
    def solver(self) -> Solver:
        """What learns the classifier."""
        return "svm" if self.transfer == "svm" else "head"


@dataclass(frozen=True)
class LabelledPictures:
    """The pictures of a set: ``show`` gives them as a network is shown them, ``labels`` are (N,)."""

    show: Show
    labels: Tensor
    parts: Sequence[Part]
    classes: Sequence[str]

    def places(self, part: Part) -> Tensor:
        """The places of the pictures of a part."""
        return torch.tensor([each == part for each in self.parts], dtype=torch.bool).nonzero()[:, 0]


@dataclass(frozen=True)
class LayerRow:
    """How well a linear classifier on a layer does, on the validation part (None: there is none)."""

    layer: str
    channels: int
    accuracy: float | None
    strength: float


@dataclass(frozen=True)
class Learned:
    """What was learned from features.

    ``logits`` (N, classes) are of all pictures, by the classifier on the layer that was asked for; ``layers``
    are the compared ones.
    """

    fitted: FittedHead
    logits: Tensor
    layers: tuple[LayerRow, ...]
    similarity: Similarity | None


def learn_from_features(
    network: Network,
    settings: TransferSettings,
    pictures: LabelledPictures,
    objective: Objective,
    total: int,
    resume: StepState | None = None,
) -> Generator[Step, None, Learned]:
    """Compute the features of all pictures, and learn a classifier from those of the training part.

    The strength of L2 is chosen on the validation part; nothing is learned, or chosen, from the test part.
    Steps are batches of pictures, then parts of fits, up to ``total``; a state has the features. Raises
    InputError on ``dataset`` if a class has no picture in training.
    """
    _require_classes(pictures)
    early = early_layer(network, settings.feature_layer)
    layers = list(
        dict.fromkeys([settings.feature_layer, *settings.compare_layers, *([early] if early else [])])
    )
    mirror = [settings.flip and part == "train" for part in pictures.parts]
    features = yield from collect_features(network, layers, pictures.show, mirror, total, resume)
    done = min(len(mirror), total)

    def fitting(layer: str) -> Generator[Step, None, FittedHead]:
        fit = fit_head(
            settings.solver,
            _examples(features, layer, pictures),
            objective,
            strength=settings.strength,
            metric=settings.metric,
        )
        while True:
            try:
                next(fit)
            except StopIteration as stop:
                fitted: FittedHead = stop.value
                return fitted
            yield Step(done, total, losses=dict, image=None, state=lambda: features.state)

    fitted = yield from fitting(settings.feature_layer)
    logits = fitted.head(features.plain[settings.feature_layer])
    rows = []
    for layer in settings.compare_layers:
        each = fitted if layer == settings.feature_layer else (yield from fitting(layer))
        channels = features.plain[layer].shape[1]
        rows.append(LayerRow(layer, channels, each.best.accuracy, each.best.strength))
    similarity = _similarity(early, features, settings, pictures)
    return Learned(fitted, logits, tuple(rows), similarity)


def new_model(network: Network, layer: str, head: LinearHead) -> Trainable:
    """A network in training: the layers of ``network`` up to ``layer``, copied, and a head as ``logits``.

    It is the stack of the architecture of ``network`` with ``classes`` and ``features`` = ``layer``.
    """
    classes, width = head.weight.shape
    stack = classifier_on(dict(network.stack.items()), layer, classes)
    logits = nn.Linear(width, classes)
    logits.load_state_dict({"weight": head.weight, "bias": head.bias})
    stack["logits"] = logits.to(network.device)
    mean, std = (each.flatten().tolist() for each in (network.mean, network.std))
    return make_trainable(stack, mean=mean, std=std)


def rate_shares(network: Network, settings: TransferSettings) -> dict[str, float]:
    """By layer up to the feature layer, the share of the learning rate that tunes it; 0: it is frozen.

    ``last`` tunes the last blocks at the whole rate. ``all`` tunes every block, each at ``rate_decay`` times
    the rate of the one behind it, the last at that of the classifier: the earlier features are, the more
    general (Howard and Ruder, "Universal language model fine-tuning for text classification", ACL 2018,
    section 3.2). The classifier itself is not in it.
    """
    blocks = blocks_of(network.layers, settings.feature_layer)
    shares: dict[str, float] = {}
    for behind, block in enumerate(reversed(blocks)):
        if settings.transfer == "all":
            share = settings.rate_decay**behind
        else:
            share = float(settings.transfer == "last" and behind < settings.last_blocks)
        shares |= dict.fromkeys(block, share)
    return shares


def tune(model: Trainable, shares: Mapping[str, float]) -> Callable[[str], float]:
    """Freeze the layers of ``model`` whose share is 0; the share of a parameter's learning rate, by its name.

    What is frozen has no gradient, so that nothing is computed backward before the first tuned layer.
    """
    for layer, share in shares.items():
        model.stack[layer].requires_grad_(share > 0)
    return lambda name: shares.get(name.split(".")[1], 1.0) if name.startswith("stack.") else 1.0


def early_layer(network: Network, layer: str) -> str | None:
    """The end of the block a third of the way to ``layer``; None if that has too few blocks."""
    blocks = blocks_of(network.layers, layer)
    return blocks[(len(blocks) - 1) // 3][-1] if len(blocks) > 1 else None


def transfer_report(
    learned: Learned, settings: TransferSettings, pictures: LabelledPictures
) -> dict[str, Any]:
    """Entries of the result: ``compare_layers``, ``suggestion``, and what ``transfer`` was chosen by."""
    per_class = median_per_class(pictures)
    similarity = learned.similarity
    rows = [row for row in learned.layers if row.accuracy is not None]
    best = max(rows, key=lambda row: row.accuracy or 0.0, default=None)
    inner = best.layer if best is not None and best.layer != settings.feature_layer else None
    suggestion = suggest(per_class, None if similarity is None else similarity.similar, inner)
    return {
        "compare_layers": [asdict(row) for row in learned.layers],
        "suggestion": {
            **asdict(suggestion),
            "pictures_per_class": per_class,
            "similarity": None if similarity is None else asdict(similarity),
        },
        "transfer": {
            "way": settings.transfer,
            "layer": settings.feature_layer,
            "strength": learned.fitted.best.strength,
            "trials": [asdict(trial) for trial in learned.fitted.trials],
        },
    }


def median_per_class(pictures: LabelledPictures) -> int:
    """The median number of pictures a class in the training part."""
    counts = torch.bincount(pictures.labels[pictures.places("train")], minlength=len(pictures.classes))
    return int(counts.median())


def _examples(features: Features, layer: str, pictures: LabelledPictures) -> Examples:
    """What to learn from: the training part, with mirror images if there are any, and the validation part."""
    training, validation = pictures.places("train"), pictures.places("validation")
    plain, mirrored, labels = features.plain[layer], features.mirrored[layer], pictures.labels
    values, classes = plain[training], labels[training]
    if len(mirrored):
        values, classes = torch.cat([values, mirrored]), torch.cat([classes, classes])
    return Examples(values, classes, plain[validation], labels[validation], len(pictures.classes))


def _similarity(
    early: str | None, features: Features, settings: TransferSettings, pictures: LabelledPictures
) -> Similarity | None:
    """Of the training and the validation part; None if there is too little to compare."""
    if early is None:
        return None
    places = torch.cat([pictures.places("train"), pictures.places("validation")])
    last = settings.feature_layer
    return measure_similarity(
        (early, features.plain[early][places]),
        (last, features.plain[last][places]),
        [pictures.classes[label] for label in pictures.labels[places].tolist()],
    )


def _require_classes(pictures: LabelledPictures) -> None:
    if len(pictures.classes) < 2:
        raise InputError(
            "dataset", "A classifier needs two classes at least: add pictures with another label."
        )
    counts = torch.bincount(pictures.labels[pictures.places("train")], minlength=len(pictures.classes))
    for name, count in zip(pictures.classes, counts.tolist(), strict=True):
        if not count:
            raise InputError(
                "dataset", f"Class {name!r} has no picture to learn from: put some of them into training."
            )
