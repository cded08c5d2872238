"""Transfer without torch: which layers of a network a new classifier can stand on, its blocks, and which way
suits how much data.

Which way: Fei-Fei Li, Karpathy, Johnson, CS231n (2016), lecture 11, "Transfer learning with CNNs"; Yosinski,
Clune, Bengio, Lipson, "How transferable are features in deep neural networks?" (NIPS 2014).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from app.errors import InputError
from app.kinds.layers import require_layers
from app.networks.card import NetworkCard

Way = Literal["svm", "head", "last", "all"]

# The ways whose trunk is frozen: its features are computed once, and a linear classifier of them is solved.
FROZEN: tuple[Way, ...] = ("svm", "head")

# The mean over positions that a classifier on an inner layer begins with; see models/architectures.
MEAN_LAYER = "features_mean"

# Kinds of layers of which each is a block by itself.
WHOLE_BLOCKS = ("fire", "residual", "inception", "sparse_conv", "fc")

# A training part with fewer pictures a class is small. Where linear classifiers and fine-tuning cross varies:
# between 10 and some hundreds in Kornblith, Shlens, Le, "Do better ImageNet models transfer better?" (CVPR
# 2019), figure 8.
FEW = 100

# Params that mean something to gradient descent alone.
OF_DESCENT = (
    "epochs",
    "least_steps",
    "batch_size",
    "optimizer",
    "learning_rate",
    "momentum",
    "weight_decay",
    "schedule",
    "warm_up",
    "average",
    "patience",
)
# Augmentations that would need features of their own for every epoch.
OF_PICTURES = (
    "crop",
    "shift",
    "rotation",
    "distortion",
    "color",
    "cutout",
    "mixup",
    "cutmix",
    "attack",
)


class Layer(Protocol):
    """A layer of a card, or of a network."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def channels(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def receptive_field(self) -> int: ...


L = TypeVar("L", bound=Layer)


def require_base(card: NetworkCard, field: str = "base") -> None:
    """Check that a network has features to begin with. Raises InputError on ``field``."""
    if card.architecture == "ensemble":
        raise InputError(
            field,
            f"{card.name} is an ensemble of networks, which has no layers of its own: name one of them.",
        )
    if not usable_layers(card.layers):
        raise InputError(
            field, f"{card.name} has no layer before its classifier: begin with another network."
        )


def usable_layers(layers: Sequence[L]) -> list[L]:
    """The layers that a new classifier can stand on: those before the classifier that the network has."""
    usable = list(layers)
    if usable[-1].kind == "logits":
        classes = usable.pop().channels
        # Where the scores of the classes are means of maps, those maps belong to the classifier.
        while usable and usable[-1].kind in ("conv", "relu") and _is_map(usable[-1], classes):
            usable.pop()
    if usable and usable[-1].name == MEAN_LAYER:
        usable.pop()
    return usable


def last_features(layers: Sequence[Layer]) -> str:
    """The layer that the classifier of a network reads, or the last layer of one that has none."""
    return next(layer.name for layer in reversed(usable_layers(layers)) if layer.kind != "dropout")


def require_feature_layers(card: NetworkCard, names: Sequence[str], field: str) -> None:
    """Check that a new classifier can stand on layers. Raises InputError on ``field``."""
    require_layers(card, names, field)
    usable = [layer.name for layer in usable_layers(card.layers)]
    for name in names:
        if name not in usable:
            raise InputError(
                field,
                f"{name} is part of the classifier of {card.name}, which a new one replaces: choose "
                f"{last_features(card.layers)} or a layer before it.",
            )


def blocks_of(layers: Sequence[Layer], layer: str) -> list[list[str]]:
    """The names of the layers up to ``layer``, by blocks that are tuned together, from the picture on.

    Fire modules, residual blocks, inceptions and fully connected layers are blocks; so are convolutions one
    after the other at the same stride. What has no weights belongs to the block before it.
    """
    blocks: list[list[str]] = []
    before: Layer | None = None
    last = [each.name for each in layers].index(layer)
    for each in layers[: last + 1]:
        if each.kind in WHOLE_BLOCKS or (
            each.kind == "conv" and (before is None or before.kind != "conv" or before.stride != each.stride)
        ):
            blocks.append([])
        if each.kind in (*WHOLE_BLOCKS, "conv"):
            before = each
        if not blocks:
            blocks.append([])
        blocks[-1].append(each.name)
    return blocks


def require_blocks(card: NetworkCard, layer: str, count: int, field: str = "last_blocks") -> None:
    """Check that there are so many blocks up to a layer. Raises InputError on ``field``."""
    there = len(blocks_of(card.layers, layer))
    if count > there:
        raise InputError(field, f"{card.name} has {there} blocks up to {layer}: choose {there} or fewer.")


def refuse_for_frozen(way: Way, params: object) -> None:
    """Check that params, before presets fill them in, ask a frozen trunk for nothing that it does not do.

    Raises InputError that names the first that does.
    """
    given: dict[str, Any] = vars(params)
    remedy = "leave it empty, or set transfer to last or all."
    for name in OF_DESCENT:
        if given[name] is not None:
            raise InputError(
                name, f"With transfer {way} a classifier is solved for, without steps or epochs: {remedy}"
            )
    for name in OF_PICTURES:
        if given[name] is not None:
            raise InputError(
                name,
                f"With transfer {way} the features of a picture, and of its mirror image, are computed once, "
                f"so that no other change of it can be learned from: {remedy}",
            )
    if given["objective"] == "triplet":
        raise InputError("objective", f"Triplet learns an embedding, and {way} a classifier: {remedy}")
    if way == "svm" and given["objective"] is not None:
        raise InputError(
            "objective", "A linear SVM has the squared hinge loss: leave it empty, or set transfer to head."
        )
    if way == "svm" and given["label_smoothing"]:
        raise InputError(
            "label_smoothing",
            "The labels of an SVM cannot be smoothed: leave it empty, or set transfer to head.",
        )
    for name in ("l1", "l2"):
        if given[name]:
            raise InputError(
                name,
                f"With transfer {way} the weight of L2 is chosen by validation, and L1 is not used: set it "
                "to 0, or set transfer to last or all.",
            )
    if given["find_learning_rate"]:
        raise InputError(
            "find_learning_rate",
            f"With transfer {way} a classifier is solved for, without a learning rate: leave it out, or set "
            "transfer to last or all.",
        )
    if given["restarts"] > 1:
        raise InputError("restarts", f"With transfer {way} every seed gives the same network: leave it at 1.")


@dataclass(frozen=True)
class Suggestion:
    """Which way suits a set, and one sentence why."""

    transfer: Way
    text: str


def suggest(per_class: int, similar: bool | None, inner_layer: str | None = None) -> Suggestion:
    """The lecture's table: how much data, and how similar it is to what the base was trained on.

    ``per_class`` are pictures a class of the training part, ``similar`` is None where nobody has measured it;
    ``inner_layer`` is one that does better than the last, if one is known.

    =================  =========================================  =============================
    .                  similar                                    different
    =================  =========================================  =============================
    few a class        a linear classifier on the last features   one on features of an inner layer
    many a class       tune the last blocks                       tune every layer
    =================  =========================================  =============================
    """
    amount = f"{per_class:,} training pictures a class"
    if per_class < FEW:
        if similar is False:
            inner = f"of {inner_layer}" if inner_layer else "of an inner layer (compare_layers says which)"
            return Suggestion(
                "head",
                f"{amount} are few, and the last features of the base say little more about them than "
                f"earlier ones: learn a linear classifier on features {inner}, or add pictures.",
            )
        known = "and the last features of the base fit them" if similar else "so that little can be tuned"
        return Suggestion(
            "head",
            f"{amount} are few, {known}: learn a linear classifier on the last features (svm or head).",
        )
    if similar is False:
        return Suggestion(
            "all",
            f"{amount} are many, and the last features of the base say little more about them than earlier "
            "ones: tune every layer.",
        )
    known = "and the features of the base fit them" if similar else "enough to tune"
    return Suggestion("last", f"{amount} are many, {known}: tune the last blocks.")


def _is_map(layer: Layer, classes: int) -> bool:
    return layer.receptive_field > 0 and layer.channels == classes
