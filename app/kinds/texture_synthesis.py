"""Params of texture synthesis: the one source of its defaults."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from app.errors import InputError
from app.kinds.base import (
    Lane,
    LayerWeights,
    NetworkNeed,
    Params,
    PictureRef,
    Variations,
    require_card,
    require_layers,
    require_sheet,
)
from app.networks import NetworkCard

# Pixels between positions of the deepest layer that is looked at by default: relu4_1 of a VGG, as in style
# transfer. One stage deeper adds little to a texture, and its positions see 156 px.
DEEPEST_STRIDE = 8


class TextureSynthesisParams(Params):
    """More of a texture, in any size (Gatys, Ecker, Bethge 2015)."""

    kind: ClassVar[str] = "texture_synthesis"
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "Texture synthesis"
    summary: ClassVar[str] = "More of a texture, in any size, and seamless if it is to be tiled."
    action: ClassVar[str] = "Weave"
    foremost: ClassVar[tuple[str, ...]] = ("size", "aspect", "seamless")
    example: ClassVar[dict[str, Any]] = {"size": 512, "seamless": True}

    image: PictureRef = Field(title="Texture", description="The picture whose texture is to go on.")
    size: int = Field(512, ge=16, le=8192, title="Size", description="Longer side of the result in pixels.")
    aspect: float = Field(
        1.0, ge=1 / 32, le=32, title="Aspect", description="Width of the result divided by its height."
    )
    seamless: bool = Field(
        False,
        title="Seamless",
        description="Make a tile: its left edge goes on at its right one, its top edge at its bottom one.",
    )
    source_size: int | None = Field(
        None,
        ge=16,
        le=8192,
        title="Texture size",
        description="Longer side in pixels that the texture is looked at with: more gives a larger pattern. "
        "Empty: its own, or that of the result if this is smaller.",
    )
    steps: int = Field(300, ge=1, le=20_000, title="Steps", description="Solver iterations over all scales.")
    layers: LayerWeights | None = Field(
        None,
        title="Layers",
        description="Layer names, or names with weights, whose correlations make the texture. Empty: the "
        "first of each of the first stages.",
    )
    # Of 0.02, 0.07 and 0.2, by eye on drawn cobblestones and bark: the three hardly differ, but the last
    # begins to smooth the grain.
    tv_weight: float = Field(
        0.07,
        ge=0,
        le=1e6,
        title="Smoothness",
        description="Weight of the total variation: more gives calmer areas.",
    )
    pooling: Literal["average", "max"] = Field(
        "average", title="Pooling", description="Average is smoother, max is crisper."
    )
    network: str = Field("palette", title="Network", description="Name of the network that looks.")
    variations: Variations = 1
    seed: int = Field(0, ge=0, le=2**63 - 1, title="Seed", description="Seed of the noise it starts from.")

    def picture_side(self, field: str) -> int | None:
        """The texture is looked at in its size, and never larger than the result unless asked for."""
        del field
        return self.source_size or self.size

    def network_need(self) -> NetworkNeed | None:
        """The network that looks."""
        return NetworkNeed(self.network, {"layers": list(self.layers or ())}, self.pooling)

    def resolve(self) -> Self:
        """Fill in the layers, and check them against the network."""
        card = require_card(self.network)
        layers = self.layers or dict.fromkeys(usual_layers(card), 1.0)
        require_layers(card, list(layers), "layers")
        for name in layers:
            if card.layer(name).receptive_field == 0:
                raise InputError(
                    "layers", f"{name} sees the whole picture at once: use a convolution, relu or pool."
                )
        if not any(layers.values()):
            raise InputError("layers", "All weights are 0: give one layer a positive weight.")
        require_sheet(self.variations, self.size, min(self.aspect, 1 / self.aspect))
        return self.model_copy(update={"layers": layers})

    def result_size(self, long_side: int) -> tuple[int, int]:
        """Height and width of a result whose longer side is ``long_side``."""
        short = max(1, round(long_side * min(self.aspect, 1 / self.aspect)))
        return (short, long_side) if self.aspect >= 1 else (long_side, short)


def usual_layers(card: NetworkCard) -> list[str]:
    """The first layer of each stage that is neither a convolution nor a pool, to DEEPEST_STRIDE."""
    first: dict[int, str] = {}
    for layer in card.layers:
        if 0 < layer.stride <= DEEPEST_STRIDE and layer.kind in ("relu", "fire"):
            first.setdefault(layer.stride, layer.name)
    return list(first.values())
