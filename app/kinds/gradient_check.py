"""Params of a gradient check: the one source of its defaults."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from app.errors import InputError
from app.kinds.architectures import ARCHITECTURES, OF_IT, Architecture, resolve_architecture
from app.kinds.base import Params
from app.kinds.fields import Seed
from app.kinds.optimizing import require_smoothable
from app.kinds.results.training import GradientCheckResult
from app.kinds.spec import KindSpec
from app.kinds.train import TrainParams
from app.kinds.training_presets import Initialization, Objective
from app.networks.catalogue import Catalogue

# Side in pixels where a job says none, if the architecture does not need more: differences take two passes
# for every number that is checked.
SMALL = 16

# The param of architectures that a check switches off.
DROPOUT = "dropout"


class GradientCheckParams(Params):
    """Compare the gradients of backpropagation with differences of the loss, in double precision."""

    architecture: Architecture = Field(
        "cnn", title="Architecture", description="The network, of random weights."
    )
    architecture_params: dict[str, bool | int | float | str] = Field(
        {}, title="Its params", description='As `architecture` takes them, such as `{"activation": "tanh"}`.'
    )
    batch_norm: bool = Field(False, title="Batch norm", description="Behind each convolution.")
    initialization: Initialization = Field(
        "he", title="Initialization", description="Of the weights; biases and norms get small numbers, too."
    )
    objective: Objective = Field(
        "softmax",
        title="Objective",
        description="What is differentiated. Of triplet the last layer is the embedding.",
    )
    margin: float = Field(1.0, gt=0, le=100, title="Margin", description="Of the hinges and of triplet.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, title="Label smoothing", description="Share that is spread over all classes."
    )
    l1: float = Field(0.0, ge=0, le=1, title="L1", description="Weight of the sum of |w| in the objective.")
    l2: float = Field(
        0.0, ge=0, le=1, title="L2", description="Weight of half the sum of w² in the objective."
    )
    size: Annotated[int, Field(ge=4, le=256)] | None = Field(
        None,
        title="Size",
        description=f"Side in pixels of the random pictures. Empty: {SMALL}, or the least it needs.",
    )
    classes: int = Field(4, ge=2, le=1000, title="Classes", description="Scores that the network gives.")
    batch_size: int = Field(
        6, ge=2, le=64, title="Batch size", description="Random pictures, their classes in turn."
    )
    samples: int = Field(
        20,
        ge=1,
        le=1000,
        title="Samples",
        description="Numbers of each weight and bias that are checked, at random places.",
    )
    # As the notes of CS231n, "Gradient checks": between 1e-4 and 1e-6; smaller ones run into rounding.
    step: float = Field(1e-5, ge=1e-8, le=1e-2, title="Step", description="h of (f(w + h) - f(w - h)) / 2h.")
    seed: Seed = 0

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """What objective and architecture have no use for, as in a training."""
        found = TrainParams.without_effect(values)
        return {name: detail for name, detail in found.items() if name in cls.model_fields}

    @classmethod
    def present_values(cls, values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        """Also without the dropout that checks never had."""
        found = super().present_values(values, names)
        if own := found.get(OF_IT):
            found[OF_IT] = {name: own[name] for name in own if name != DROPOUT}
        return found

    def resolve(self, catalogue: Catalogue) -> "ResolvedGradientCheck":
        """Fill in the size, and check what the architecture takes."""
        del catalogue
        size = self.size or max(SMALL, ARCHITECTURES[self.architecture].smallest)
        resolve_architecture(self.architecture, self.architecture_params, size, self.classes)
        if self.architecture_params.get(DROPOUT):
            raise InputError(
                f"{OF_IT}.{DROPOUT}",
                "A check leaves out no units, so that the loss is the same each time: leave this out.",
            )
        require_smoothable(self.objective, self.label_smoothing)
        return self.resolved_as(ResolvedGradientCheck, {"size": size})


class ResolvedGradientCheck(GradientCheckParams):
    """Resolved params of a gradient check."""

    size: int


SPEC = KindSpec(
    name="gradient_check",
    params=GradientCheckParams,
    result=GradientCheckResult,
    resolved=(ResolvedGradientCheck,),
    function="worker.training.gradient_check:gradient_check",
    lane="long",
    title="Gradient check",
    summary="Whether backpropagation gives the gradient that differences of the loss give, layer by layer.",
    submit_label="Check",
    command="gradient-check",
    group="Look inside",
    primary_fields=("architecture", "objective"),
    label_fields=("architecture", "objective"),
    file_extensions=(".png", ".csv"),
    tables={"layers": (), "worst": ()},
    example={"architecture": "mlp", "objective": "hinge"},
)
