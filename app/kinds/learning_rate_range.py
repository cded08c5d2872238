"""Params of a learning-rate range test: those of a training that have a part in a step."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field, create_model

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import CROP_SHARE
from app.kinds.results.training import LearningRateRangeResult
from app.kinds.spec import KindSpec
from app.kinds.train import ResolvedTraining, TrainParams
from app.kinds.training_presets import PRESETS
from app.networks.catalogue import Catalogue

# Of a training: what is trained, what is minimized, how a step is made, and what of pictures it is shown.
TAKEN = (
    "dataset",
    "preset",
    "base",
    "transfer",
    "feature_layer",
    "last_blocks",
    "rate_decay",
    "architecture",
    "architecture_params",
    "batch_norm",
    "initialization",
    "initial_std",
    "size",
    "objective",
    "margin",
    "embedding",
    "label_smoothing",
    "l1",
    "l2",
    "batch_size",
    "optimizer",
    "momentum",
    "weight_decay",
    "flip",
    "crop",
    "shift",
    "rotation",
    "distortion",
    "color",
    "cutout",
    "mixup",
    "cutmix",
    "seed",
)
# What a training has beside these, and the test does not use. Rates are relative to 1.
_REST = {
    "epochs": 1,
    "least_steps": 0,
    "learning_rate": 1.0,
    "schedule": "constant",
    "warm_up": 0.0,
    "average": 0.0,
    "patience": 0,
    "attack": 0.0,
}
_DESCENDING = {name: preset for name, preset in PRESETS.items() if preset.transfer not in ("svm", "head")}


class RateRange(Params):
    """What the params of a range test do; their fields are those of a training."""

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in TAKEN}

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """What a training of these params has no use for."""
        return TrainParams.without_effect(values)

    def as_training(self) -> ResolvedTraining:
        """The training, of these resolved params, whose first steps the test makes."""
        return ResolvedTraining.model_validate({**self._values(), **_REST})

    def picture_short_side(self, field: str) -> int | None:
        """The side that pictures are kept at."""
        del field
        size: int | None = self._values()["size"]
        return None if size is None else round(size / CROP_SHARE)

    def network_need(self) -> NetworkNeed | None:
        """The network that it begins with."""
        base: str | None = self._values()["base"]
        return None if base is None else NetworkNeed(base, float32_weights=True)

    def resolve(self, catalogue: Catalogue) -> "RateRange":
        """Fill in what the preset, and the base or the architecture give."""
        training = TrainParams.model_validate(self._values()).resolve(catalogue)
        if not isinstance(training, ResolvedTraining):
            raise InputError(
                "transfer",
                "The classifier of frozen layers is solved for, without a learning rate: choose last or all.",
            )
        return self.resolved_as(type(self), {name: getattr(training, name) for name in TAKEN})


def _params() -> type[RateRange]:
    """The params class, whose fields are those of a training, as they are declared there."""
    fields: dict[str, Any] = {
        name: (info.annotation, info) for name, info in TrainParams.model_fields.items() if name in TAKEN
    }
    fields["preset"] = (
        Literal[tuple(_DESCENDING)],
        Field(
            "fine-tune", title="Preset", description="Of a training.", json_schema_extra={"widget": "preset"}
        ),
    )
    made = create_model(
        "LearningRateRangeParams",
        __base__=RateRange,
        __doc__="How the loss of a training changes while its learning rate grows.",
        **fields,
    )
    return cast(type[RateRange], made)


SPEC = KindSpec(
    name="learning_rate_range",
    params=_params(),
    result=LearningRateRangeResult,
    function="worker.training.learning_rate_range:learning_rate_range",
    lane="training",
    # As of a training.
    stall_seconds=1800.0,
    title="Learning-rate range",
    summary="The loss while the learning rate grows from far too low to far too high, and the rate to use.",
    submit_label="Test",
    command="learning-rate-range",
    group="Train",
    primary_fields=("preset", "base", "architecture", "optimizer"),
    label_fields=("preset", "base", "architecture", "optimizer"),
    file_extensions=(".png", ".csv"),
    tables={"suggestion": ()},
    presets=_DESCENDING,
    example={"dataset": "digits", "preset": "from-scratch"},
)
