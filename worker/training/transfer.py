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
from app.kinds.training_presets import Metric
from app.kinds.transferring import Way, blocks_of, suggest
from models.architectures import classifier_on
from models.network import Network
from models.trainable import Trainable, make_trainable
from worker.contract.steps import Step, StepState, map_steps
from worker.training.features import Features, Show, collect_features, feature_steps
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
    """The pictures of a set: ``show`` gives them as a network is shown them, ``labels`` (N,) are by index."""

    show: Show
    labels: Tensor
    parts: Sequence[Part]
    classes: Sequence[str]

    def places(self, *parts: Part) -> Tensor:
        """The places (n,) of the pictures of parts."""
        return places_of(self.parts, *parts)

    def per_class(self) -> Tensor:
        """Pictures of each class in the training part, (classes,)."""
        return torch.bincount(self.labels[self.places("train")], minlength=len(self.classes))


def places_of(parts: Sequence[Part], *wanted: Part) -> Tensor:
    """The places of the pictures of some parts, (n,)."""
    return torch.tensor([place for place, each in enumerate(parts) if each in wanted], dtype=torch.int64)


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

    ``fitted`` is the classifier on the layer that was asked for, ``logits`` (N, classes) are what it says of
    all pictures; ``layers`` are those compared with each other. ``state`` has the features.
    """

    fitted: FittedHead
    logits: Tensor
    layers: tuple[LayerRow, ...]
    similarity: Similarity | None
    state: StepState


def learn_from_features(
    network: Network,
    settings: TransferSettings,
    pictures: LabelledPictures,
    objective: Objective,
    total: int,
    resume: StepState | None = None,
) -> Generator[Step, None, Learned]:
    """Compute the features of all pictures once, and learn classifiers from those of the training part.

    The strength of L2 is chosen on the validation part; nothing is learned or chosen from the test part.
    Steps are batches of pictures, then parts of fits, up to ``total``; each state has the features so far.
    Every class needs a picture in training.
    """
    layer = settings.feature_layer
    early = early_layer(network, layer)
    layers = list(dict.fromkeys([layer, *settings.compare_layers, *([early] if early else [])]))
    # Folds train on either of the other parts.
    mirror = torch.tensor([settings.flip and part != "test" for part in pictures.parts])
    features = yield from collect_features(network, layers, pictures.show, mirror, total, resume)

    def fitting(each: str) -> Generator[Step, None, FittedHead]:
        done = Step(feature_steps(len(mirror)), total, losses=dict, image=None, state=lambda: features.state)
        return map_steps(learn_head(features, each, settings, pictures, objective), lambda _: done)

    fitted = yield from fitting(layer)
    rows = []
    for each in settings.compare_layers:
        compared = fitted if each == layer else (yield from fitting(each))
        channels = features.plain[each].shape[1]
        rows.append(LayerRow(each, channels, compared.best.accuracy, compared.best.strength))
    similarity = _similarity(early, layer, features, pictures)
    return Learned(fitted, fitted.head(features.plain[layer]), tuple(rows), similarity, features.state)


def learn_head(
    features: Features,
    layer: str,
    settings: TransferSettings,
    pictures: LabelledPictures,
    objective: Objective,
) -> Generator[None, None, FittedHead]:
    """A classifier on a layer, from the training part, its strength chosen on the validation part.

    Yields now and then, so that a job can be cancelled.
    """
    training, validation = pictures.places("train"), pictures.places("validation")
    plain = features.plain[layer]
    values, labels = plain[training], pictures.labels[training]
    if settings.flip:
        values = torch.cat([values, features.mirrored_of(layer, training)])
        labels = torch.cat([labels, labels])
    examples = Examples(values, labels, plain[validation], pictures.labels[validation], len(pictures.classes))
    return fit_head(settings.solver, examples, objective, strength=settings.strength, metric=settings.metric)


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


def transfer_report(
    learned: Learned, settings: TransferSettings, pictures: LabelledPictures
) -> dict[str, Any]:
    """Entries of the result: ``compare_layers``, ``suggestion``, and how the classifier was chosen."""
    return {
        "compare_layers": [asdict(row) for row in learned.layers],
        "suggestion": _suggestion(learned, settings, pictures),
        "transfer": {
            "way": settings.transfer,
            "layer": settings.feature_layer,
            "strength": learned.fitted.best.strength,
            "trials": [asdict(trial) for trial in learned.fitted.trials],
        },
    }


def _suggestion(learned: Learned, settings: TransferSettings, pictures: LabelledPictures) -> dict[str, Any]:
    """Which way suits the set, why, and what that was judged by; nothing is judged by the test part."""
    per_class = int(pictures.per_class().median())
    similarity = learned.similarity
    known = [row for row in learned.layers if row.accuracy is not None]
    best = max(known, key=lambda row: row.accuracy or 0.0, default=None)
    inner = best.layer if best is not None and best.layer != settings.feature_layer else None
    return {
        **asdict(suggest(per_class, None if similarity is None else similarity.similar, inner)),
        "pictures_per_class": per_class,
        "similarity": None if similarity is None else asdict(similarity),
    }


def _similarity(
    early: str | None, last: str, features: Features, pictures: LabelledPictures
) -> Similarity | None:
    """Of the training and the validation part; None if there is too little to compare."""
    if early is None:
        return None
    places = pictures.places("train", "validation")
    labels = [pictures.classes[label] for label in pictures.labels[places].tolist()]
    return measure_similarity(
        (early, features.plain[early][places]), (last, features.plain[last][places]), labels
    )
