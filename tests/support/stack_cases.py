"""Jobs of every kind that is computed in stacks, by what they are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from app.kinds import Params
from app.kinds.feature_inversion import FeatureInversionParams
from app.kinds.style_presets import PRESETS, StyleLossName
from app.kinds.style_transfer import ORDERED, StyleTransferParams
from app.kinds.texture_synthesis import TextureSynthesisParams
from app.networks.catalogue import SHIPPED
from tests.worker.conftest import drawn
from worker.contract.inputs import Inputs
from worker.contract.stacks import StackedJob
from worker.contract.steps import StepState


@dataclass(frozen=True)
class Case:
    """Jobs of one stack: their params, and the pictures of each."""

    kind: str
    jobs: Sequence[tuple[Params, dict[str, list[Tensor]]]]

    def stacked(self, resumes: dict[int, StepState] | None = None) -> list[StackedJob[Any]]:
        found = resumes or {}
        return [
            StackedJob(params, Inputs.of(pictures), found.get(place))
            for place, (params, pictures) in enumerate(self.jobs)
        ]


def style_case(**values: Any) -> Case:
    layers = {"content_layers": {"relu2": 1.0}, "style_layers": {"relu1": 1.0, "conv3": 1.0}}
    given = {"content": "c", "style": ["s"], "size": 64, "steps": 8, **values}
    params = StyleTransferParams.model_validate(given).resolve(SHIPPED).model_copy(update=layers)
    # Styles have sizes of their own, and weights may differ.
    weights = [params.style_weight, 2 * params.style_weight, params.style_weight]
    return Case(
        "style_transfer",
        [
            (
                params.model_copy(update={"style_weight": weight}),
                {"content": [drawn(48, 64, place)], "style": [drawn(40 + 8 * place, 50, 9 + place)]},
            )
            for place, weight in enumerate(weights)
        ],
    )


def masked_case() -> Case:
    """Style transfers: one with masks for two styles, one with a protected part, and one with neither."""
    plain = style_case()
    (first, of_first), (second, of_second), third = plain.jobs
    mask = torch.linspace(0, 1, 64).expand(1, 3, 48, 64)
    two = {"style": ["s", "t"], "style_masks": ["a", "b"], "style_weights": [1.0, 1.0]}
    of_two = {"style": [*of_first["style"], drawn(30, 30, 20)], "style_masks": [mask, 1 - mask]}
    return Case(
        plain.kind,
        [
            (first.model_copy(update=two), {**of_first, **of_two}),
            (second.model_copy(update={"content_mask": "m"}), {**of_second, "content_mask": [mask]}),
            third,
        ],
    )


def texture_case(**values: Any) -> Case:
    given = {"image": "x", "size": 48, "steps": 6, **values}
    params = TextureSynthesisParams.model_validate(given).resolve(SHIPPED)
    own = params.model_copy(update={"layers": {"relu1": 1.0, "relu3": 1.0}})
    return Case(
        "texture_synthesis",
        [(own.model_copy(update={"seed": place}), {"image": [drawn(44, 56, place)]}) for place in range(3)],
    )


def inversion_case(**values: Any) -> Case:
    given = {"image": "x", "layers": ["relu1", "pool2"], "size": 24, "steps": 5, **values}
    params = FeatureInversionParams.model_validate(given)
    return Case(
        "feature_inversion",
        [
            (params.model_copy(update={"seed": place}), {"image": [drawn(30, 40, place)]})
            for place in range(3)
        ],
    )


CASES = {
    # Not from the content: where a content loss is 0 but for rounding, so is all that its gradient says.
    **{
        f"style {name}": style_case(preset=name, init="noise")
        for name, preset in PRESETS.items()
        if name != "impasto" and preset.style_loss not in ORDERED
    },
    "style impasto": style_case(),
    "style adam from noise": style_case(optimizer="adam", init="noise", seed=5),
    **{
        f"style of {name}": style_case(style_loss=name)
        for name in get_args(StyleLossName)
        if name not in ORDERED
    },
    "style content's colors": style_case(color="content"),
    "style masks": masked_case(),
    "style tileable": style_case(tileable=True),
    "texture": texture_case(),
    "texture seamless": texture_case(seamless=True, size=64),
    "inversion": inversion_case(variations=2),
    "inversion of pixels": inversion_case(parametrization="pixels", optimizer="adam"),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
