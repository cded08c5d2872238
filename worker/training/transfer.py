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
from worker.training.features import Features, View, collect_features
from worker.training.linear_heads import Examples, FittedHead, LinearHead, Solver, fit_head
from worker.training.objectives import Objective
from worker.training.similarity import Similarity, measure_similarity


@dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """What is learned, and from which layers of the base.

    ``strength`` is that of L2; None: it is chosen on the validation part. ``last_blocks`` are those that
    ``last`` tunes, ``rate_decay`` is of ``all``.
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
    """Pictures of a set: ``places`` (n,) in it by part, and ``labels`` (N,) of the whole set, by index."""

    view: View
    places: Mapping[Part, Tensor]
    labels: Tensor
    classes: Sequence[str]

    def of(self, *parts: Part) -> Tensor:
        """The places of the pictures of parts, one after the other."""
        none = torch.zeros(0, dtype=torch.int64)
        return torch.cat([none, *(self.places[part] for part in parts if part in self.places)])

    def per_class(self) -> Tensor:
        """Pictures of each class in the training part, (classes,)."""
        return torch.bincount(self.labels[self.of("train")], minlength=len(self.classes))


@dataclass(frozen=True)
class LayerRow:
    """How well a linear classifier on a layer does, on the validation part (None: there is none)."""

    layer: str
    channels: int
    accuracy: float | None
    strength: float


def features_for(
    network: Network,
    settings: TransferSettings,
    pictures: LabelledPictures,
    total: int,
    resume: StepState | None = None,
) -> Generator[Step, None, Features]:
    """The features that a transfer needs of all parts, for all that is learned from them.

    With ``flip`` those of the mirror images of what is trained on, and of what folds may train on. Steps and
    states are those of :func:`worker.training.features.collect_features`. Raises InputError on ``dataset`` if
    a class has no picture to learn from.
    """
    require_classes(pictures)
    early = early_layer(network, settings.feature_layer)
    layers = [settings.feature_layer, *settings.compare_layers, *([early] if early else [])]
    held = pictures.of("test")
    places = torch.cat([pictures.of("train", "validation"), held])
    mirrored = torch.full((len(places),), settings.flip)
    mirrored[len(places) - len(held) :] = False
    return (
        yield from collect_features(
            network, list(dict.fromkeys(layers)), pictures.view, places, mirrored, total, resume
        )
    )


def learn_head(
    features: Features,
    layer: str,
    settings: TransferSettings,
    pictures: LabelledPictures,
    objective: Objective,
) -> Generator[None, None, FittedHead]:
    """A classifier on a layer, learned from the training part, its strength chosen on the validation part.

    Yields now and then, so that a job can be cancelled.
    """
    training, validation = pictures.of("train"), pictures.of("validation")
    values, labels = features.of(layer, training), pictures.labels[training]
    if settings.flip:
        values = torch.cat([values, features.mirrored_of(layer, training)])
        labels = torch.cat([labels, labels])
    examples = Examples(
        values,
        labels,
        features.of(layer, validation),
        pictures.labels[validation],
        len(pictures.classes),
    )
    return fit_head(settings.solver, examples, objective, strength=settings.strength, metric=settings.metric)


def compare_layers(
    features: Features, settings: TransferSettings, pictures: LabelledPictures, objective: Objective
) -> Generator[None, None, list[LayerRow]]:
    """How well classifiers on ``settings.compare_layers`` do, one after the other."""
    rows = []
    for layer in settings.compare_layers:
        fitted = yield from learn_head(features, layer, settings, pictures, objective)
        channels = features.plain[layer].shape[1]
        rows.append(LayerRow(layer, channels, fitted.best.accuracy, fitted.best.strength))
    return rows


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
    return make_trainable(stack, mean=mean, std=std).to(network.device)


def rate_shares(network: Network, settings: TransferSettings) -> dict[str, float]:
    """By layer up to the feature layer, the share of the learning rate that tunes it; 0: it is frozen.

    ``last`` tunes the last blocks at the whole rate. ``all`` tunes every block: the last at ``rate_decay``
    times the rate of the classifier, and each at that many times the rate of the one behind it, since the
    earlier features are, the more general they are (Howard and Ruder, "Universal language model fine-tuning
    for text classification", ACL 2018, section 3.2). The classifier itself is not in it.
    """
    shares: dict[str, float] = {}
    for behind, block in enumerate(reversed(blocks_of(network.layers, settings.feature_layer)), start=1):
        if settings.transfer == "all":
            share = settings.rate_decay**behind
        else:
            share = float(settings.transfer == "last" and behind <= settings.last_blocks)
        shares |= dict.fromkeys(block, share)
    return shares


def tune(model: Trainable, shares: Mapping[str, float]) -> Callable[[str], float]:
    """Freeze the layers of ``model`` whose share is 0; the share of a parameter's learning rate, by its name.

    What is frozen has no gradient, so that nothing is computed backward before the first tuned layer.
    """
    for layer, share in shares.items():
        model.stack[layer].requires_grad_(share > 0)
    return lambda parameter: shares.get(parameter.split(".")[1], 1.0)


def early_layer(network: Network, layer: str) -> str | None:
    """The end of the block a third of the way to ``layer``; None if there is one block alone."""
    blocks = blocks_of(network.layers, layer)
    return blocks[(len(blocks) - 1) // 3][-1] if len(blocks) > 1 else None


def suggestion(
    network: Network,
    features: Features,
    settings: TransferSettings,
    pictures: LabelledPictures,
    rows: Sequence[LayerRow],
) -> dict[str, Any]:
    """Which way suits the set, why, and what that was judged by; nothing is judged by the test part."""
    per_class = int(pictures.per_class().median())
    similarity = _similarity(early_layer(network, settings.feature_layer), features, settings, pictures)
    known = [row for row in rows if row.accuracy is not None]
    best = max(known, key=lambda row: row.accuracy or 0.0, default=None)
    inner = best.layer if best is not None and best.layer != settings.feature_layer else None
    suggested = suggest(per_class, None if similarity is None else similarity.similar, inner)
    return {
        **asdict(suggested),
        "pictures_per_class": per_class,
        "similarity": None if similarity is None else asdict(similarity),
    }


def require_classes(pictures: LabelledPictures) -> None:
    """Check that there are classes, and pictures of each to learn from. Raises InputError on ``dataset``."""
    if len(pictures.classes) < 2:
        raise InputError(
            "dataset", "A classifier needs two classes at least: add pictures with another label."
        )
    for name, count in zip(pictures.classes, pictures.per_class().tolist(), strict=True):
        if not count:
            raise InputError(
                "dataset", f"Class {name!r} has no picture to learn from: put some of them into training."
            )


def _similarity(
    early: str | None, features: Features, settings: TransferSettings, pictures: LabelledPictures
) -> Similarity | None:
    """Of the training and the validation part; None if there is too little to compare."""
    if early is None:
        return None
    places, last = pictures.of("train", "validation"), settings.feature_layer
    labels = [pictures.classes[label] for label in pictures.labels[places].tolist()]
    return measure_similarity((early, features.of(early, places)), (last, features.of(last, places)), labels)
