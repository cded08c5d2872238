"""Params of the table of an architecture: the one source of its defaults."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import NetworkName
from app.kinds.layer_lists import MAX_TEXT, AnyLayer, Rounding, as_text
from app.kinds.layers import require_card
from app.kinds.results.looks import ArchitectureResult
from app.kinds.spec import KindSpec
from app.networks.card import USUAL_SIDE
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

COLORS = 3
MAX_INPUT = 1 << 14

# What a narrow table shows of a layer.
COLUMNS = ("layer", "output", "size", "parameters", "multiply_adds", "bytes", "receptive_field")


def _as_shape(value: Any) -> Any:
    """[C, H, W] from it, from a side, or from text such as 224, 3x32x32 and 3, 32, 32."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list):
        value = [part for each in value for part in (_split(each) if isinstance(each, str) else [each])]
    elif isinstance(value, str):
        value = _split(value)
    if not isinstance(value, list) or len(value) != 1:
        return value
    side = int(value[0]) if str(value[0]).isdecimal() and len(str(value[0])) < 9 else 0
    if not 1 <= side <= MAX_INPUT:
        raise ValueError(
            f"{value[0]!r} is no side: give a whole number from 1 to {MAX_INPUT}, or channels, height and "
            "width"
        )
    return [COLORS, side, side]


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,x×]+", text) if part]


InputShape = Annotated[
    list[Annotated[int, Field(ge=1, le=MAX_INPUT)]],
    BeforeValidator(_as_shape, json_schema_input_type=int | str | list[int]),
    Field(min_length=3, max_length=3),
]
LayerList = Annotated[
    str, BeforeValidator(as_text, json_schema_input_type=str | list[AnyLayer]), Field(max_length=MAX_TEXT)
]


class ArchitectureParams(Params):
    """What the layers of a network cost: sizes, parameters, multiply-adds, memory, receptive fields."""

    network: NetworkName | None = Field(
        DEFAULT_CLASSIFIER, title="Network", description="Name of the network; its weights are not needed."
    )
    layers: LayerList | None = Field(
        None,
        title="Layers",
        description="Instead of a network, a list of layers: [(CONV-RELU)*2-POOL]*3-[FC-RELU]*2-FC, with "
        "sizes as in CONV5x5-10/1p2 (10 filters of 5 × 5, stride 1, padding 2), or as JSON.",
    )
    input: InputShape | None = Field(
        None,
        title="Input",
        description="Side in pixels, or channels, height and width. Empty: what the network classifies, "
        f"or {USUAL_SIDE}.",
    )
    rounding: Rounding | None = Field(
        None,
        title="Rounding",
        description="How layers of the list round a size that is not whole. Empty: it is an error.",
    )

    def network_need(self) -> NetworkNeed | None:
        """The network, without its weights; None for a list of layers."""
        return None if self.network is None else NetworkNeed(self.network, weights=False)

    def resolve(self, catalogue: Catalogue) -> "ResolvedArchitecture":
        """Choose between network and layers, and fill in the input."""
        if self.layers is not None:
            if self.network not in (None, DEFAULT_CLASSIFIER):
                raise InputError("network", "The layers are given already: leave out one of the two.")
            shape = self.input or [COLORS, USUAL_SIDE, USUAL_SIDE]
            return self.resolved_as(ResolvedArchitecture, {"network": None, "input": shape})
        card = require_card(catalogue, self.network or DEFAULT_CLASSIFIER)
        if self.rounding is not None:
            raise InputError(
                "rounding", f"{card.name} rounds as it was built: leave this out, or give layers."
            )
        shape = self.input or [COLORS, card.counted_side, card.counted_side]
        if shape[0] != COLORS:
            raise InputError("input", f"{card.name} takes {COLORS} channels, not {shape[0]}.")
        return self.resolved_as(ResolvedArchitecture, {"network": card.name, "input": shape})


class ResolvedArchitecture(ArchitectureParams):
    """Resolved params of the table of an architecture: of a network, or of layers."""

    input: InputShape


SPEC = KindSpec(
    name="architecture",
    params=ArchitectureParams,
    result=ArchitectureResult,
    resolved=(ResolvedArchitecture,),
    function="worker.understanding.architecture:architecture",
    lane="short",
    wait_seconds=10,
    title="Architecture",
    summary="A network's layers in a table: sizes, parameters, multiply-adds, memory and receptive fields.",
    submit_label="Count",
    command="architecture",
    group="Look inside",
    primary_fields=("network", "layers", "input"),
    label_fields=("network", "layers"),
    file_extensions=(".png", ".csv", ".md"),
    tables={"table": COLUMNS, "rounded": (), "totals": ()},
    example={"layers": "CONV5x5-10/1p2-RELU-POOL-FC-10", "input": 32},
)
