"""What goes with what in the params of a training, and what is chosen where they say nothing."""

from typing import Any

from app.errors import InputError
from app.kinds.architectures import resolve_architecture
from app.kinds.fields import DEFAULT_SIZE
from app.kinds.layers import require_card
from app.kinds.optimizing import SMOOTHABLE, USUAL_RATES, require_smoothable
from app.kinds.spec import with_preset
from app.kinds.train import ResolvedFrozen, ResolvedTraining, TrainParams
from app.kinds.training_presets import PRESETS, TrainPreset
from app.kinds.transferring import (
    FROZEN,
    OF_DESCENT,
    OF_PICTURES,
    last_features,
    refuse_for_frozen,
    require_base,
    require_blocks,
    require_feature_layers,
)
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue

# Params of a base, and those of an architecture.
OF_BASE = ("transfer", "feature_layer", "compare_layers", "last_blocks", "rate_decay")
OF_ARCHITECTURE = ("architecture_params", "batch_norm", "initialization")

# Side in pixels of the pictures whose attacks the presets tell.
ATTACKED_SIZE = 64

# How many blocks `last` tunes.
LAST_BLOCKS = 2
# A block's rate over that of the next one: fastai spreads a factor of 100 over the three groups of a network;
# over the dozen of blocks here, that is 0.7.
RATE_DECAY = 0.7


def resolve_training(params: TrainParams, catalogue: Catalogue) -> ResolvedTraining | ResolvedFrozen:
    """The params with all their choices made. Raises InputError that names the param."""
    if params.base is not None and params.architecture is not None:
        raise InputError("architecture", "A training begins with a base or an architecture: leave one empty.")
    name = params.preset
    if params.architecture is not None and PRESETS[name].base is not None:
        # The preset that a form shows first is that of a base.
        name = "from-scratch"
    preset = PRESETS[name]
    if params.base is not None and preset.base is None:
        raise InputError("base", f"{name} begins with random weights: choose quick or fine-tune, or no base.")
    given = params.model_copy(update={"preset": name})
    if preset.base is not None:
        return _with_base(given, preset, catalogue)
    return _with_architecture(given, preset)


def _with_base(
    params: TrainParams, preset: TrainPreset, catalogue: Catalogue
) -> ResolvedTraining | ResolvedFrozen:
    for name in OF_ARCHITECTURE:
        if getattr(params, name) not in (None, False):
            raise InputError(name, "This belongs to an architecture with random weights: leave it empty.")
    values = with_preset(params, preset) | dict.fromkeys(("architecture", *OF_ARCHITECTURE))
    transfer = values["transfer"]
    card = require_card(catalogue, values["base"], "base")
    require_base(card)
    layer = params.feature_layer or last_features(card.layers)
    require_feature_layers(card, [layer], "feature_layer")
    require_feature_layers(card, params.compare_layers or [], "compare_layers")
    values |= {"feature_layer": layer, "size": params.size or card.input_size or DEFAULT_SIZE}
    values |= _blocks(params, card, layer, transfer)
    if transfer in FROZEN:
        refuse_for_frozen(transfer, params)
        values |= dict.fromkeys((*OF_DESCENT, *OF_PICTURES))
        if transfer == "svm":
            values |= {"objective": None, "label_smoothing": None}
        return params.resolved_as(ResolvedFrozen, values)
    return _descending(params, preset, values)


def _blocks(params: TrainParams, card: NetworkCard, layer: str, transfer: str) -> dict[str, Any]:
    """``last_blocks`` of `last`, and ``rate_decay`` of `all`."""
    if params.last_blocks is not None and transfer != "last":
        raise InputError("last_blocks", f"These are tuned by transfer last, not {transfer}: leave it empty.")
    if params.rate_decay is not None and transfer != "all":
        raise InputError("rate_decay", f"This is for transfer all, not {transfer}: leave it empty.")
    if transfer == "last":
        blocks = params.last_blocks or LAST_BLOCKS
        require_blocks(card, layer, blocks)
        return {"last_blocks": blocks}
    return {"rate_decay": params.rate_decay or RATE_DECAY} if transfer == "all" else {}


def _with_architecture(params: TrainParams, preset: TrainPreset) -> ResolvedTraining:
    for name in OF_BASE:
        if getattr(params, name) is not None:
            raise InputError(
                name, f"{params.preset} begins with random weights: name a base, or leave it empty."
            )
    values = with_preset(params, preset)
    own = params.architecture_params
    if own is None:
        own = dict(preset.architecture_params) if values["architecture"] == preset.architecture else {}
    if values["architecture"] == "lenet_1998" and values["objective"] == "triplet":
        raise InputError(
            "objective",
            "lenet_1998 ends in fixed codes of classes, and has no embedding to learn: take lenet.",
        )
    # The number of classes is that of the set, which is not known yet.
    resolved = resolve_architecture(values["architecture"], own, params.size, 2)
    values |= {"architecture_params": own, "size": resolved.input_size}
    if params.attack is None:
        # An L2 norm grows with the side.
        share = 0.0 if values["objective"] == "triplet" else resolved.input_size / ATTACKED_SIZE
        values["attack"] = round(preset.attack * share, 3)
    return _descending(params, preset, values)


def _least_steps(params: TrainParams, preset: TrainPreset) -> int:
    """Who says how many epochs there are wants no more."""
    if params.least_steps is not None:
        return params.least_steps
    said = params.epochs is not None or "epochs" in (params.search or {})
    return 0 if said else preset.least_steps


def _descending(params: TrainParams, preset: TrainPreset, values: dict[str, Any]) -> ResolvedTraining:
    """What a training by gradient descent needs beside what it begins with."""
    optimizer = values["optimizer"] or "adamw"
    rate = USUAL_RATES[optimizer] if optimizer != preset.optimizer else preset.learning_rate
    values |= {
        "optimizer": optimizer,
        "learning_rate": params.learning_rate or rate,
        "least_steps": _least_steps(params, preset),
        "epochs": values["epochs"] or PRESETS["fine-tune"].epochs,
        "batch_size": values["batch_size"] or PRESETS["fine-tune"].batch_size,
    }
    require_smoothable(values["objective"], params.label_smoothing or 0.0)
    if values["objective"] not in SMOOTHABLE:
        values["label_smoothing"] = 0.0
    if values["objective"] == "triplet" and values["attack"]:
        raise InputError("attack", "Attacks need scores of classes, and triplet learns none: set it to 0.")
    if values["batch_norm"] and values["batch_size"] == 1:
        raise InputError("batch_size", "Batch norm needs two pictures a batch: set it to 2 or more.")
    return params.resolved_as(ResolvedTraining, values)
