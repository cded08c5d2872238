"""Params of texture synthesis."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    MAX_SIDE,
    PICTURE_EXTENSIONS,
    BitsOfPicture,
    FormatOfPicture,
    LayerWeights,
    NetworkName,
    PictureRef,
    ResultSize,
    Seed,
    Steps,
    Variations,
    require_sheet,
)
from app.kinds.layers import first_of_stages, require_card, require_positive_weight, require_spatial_layers
from app.kinds.results.pictures import TextureSynthesisResult
from app.kinds.spec import KindSpec
from app.kinds.stacking import positive, short_hash
from app.kinds.style_presets import PRESETS
from app.kinds.work import NUMBER, Spending, descent_bytes, scale_sides, steps_work, targets_bytes
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK, Catalogue

# Longer side in pixels of the smaller of texture and result at the first scale, or a little more. Where style
# transfer begins, at 90, bricks of 70 px stay pieces of bricks: a position of the deepest layer sees 68 px.
COARSEST = 40


class TextureSynthesisParams(Params):
    """More of a texture, in any size (Gatys, Ecker, Bethge 2015)."""

    image: PictureRef = Field(title="Texture", description="The picture whose texture is to go on.")
    size: ResultSize = 512
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
        le=MAX_SIDE,
        title="Texture size",
        description="Longer side of the texture in pixels: more gives a larger pattern. "
        "Empty: its own, or that of the result if this is smaller.",
    )
    steps: Steps = Field(300, description="Optimizer iterations over all scales.")
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
    network: NetworkName = DEFAULT_NETWORK
    variations: Variations = 1
    seed: Seed = Field(0, description="Seed of the noise it starts from.")
    format: FormatOfPicture = "png"
    bit_depth: BitsOfPicture = 8

    def picture_side(self, field: str) -> int | None:
        """The texture is no larger than the result unless asked for."""
        del field
        return self.source_size or self.size

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        return NetworkNeed(self.network, {"layers": list(self.layers or ())}, self.pooling)

    def resolve(self, catalogue: Catalogue) -> "ResolvedTextureSynthesis":
        """Fill in the layers, and check them against the network."""
        card = require_card(catalogue, self.network)
        layers = self.layers or dict.fromkeys(first_of_stages(card), 1.0)
        require_spatial_layers(card, layers, "layers")
        require_positive_weight(layers, "layers")
        require_sheet(self.variations, self.size, min(self.aspect, 1 / self.aspect))
        return self.resolved_as(ResolvedTextureSynthesis, {"layers": layers})

    def result_size(self, long_side: int) -> tuple[int, int]:
        """Height and width of a result whose longer side is ``long_side``."""
        short = max(1, round(long_side * min(self.aspect, 1 / self.aspect)))
        return (short, long_side) if self.aspect >= 1 else (long_side, short)


class ResolvedTextureSynthesis(TextureSynthesisParams):
    """Resolved params of texture synthesis."""

    layers: LayerWeights

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str | None:
        """Results of one size by one network, that grow in the same steps."""
        texture = sides.get(self.image)
        if texture is None or self.variations > 1:
            return None
        source = self.source_size or min(self.size, max(texture))
        height, width = self.result_size(self.size)
        layers = short_hash(positive(self.layers))
        shape = f"{width}x{height} {self.seamless} {source}"
        return f"{self.network} {self.pooling} {shape} {self.steps} {layers}"

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Steps at each scale."""
        del members
        shape = min(self.aspect, 1 / self.aspect) ** 0.5
        sides = [side * shape for side in scale_sides(self.size, COARSEST)]
        return steps_work(card, sides, self.steps * self.variations, self.needed_layers())

    def shaped_bytes(self, card: NetworkCard, spending: Spending, shape: float) -> float:
        """Of the result, whatever shape the texture has, or of the texture if that takes more.

        The texture is there until the end, and is taken to be as large as it may be of use.
        """
        sides = (self.size * min(self.aspect, 1 / self.aspect), self.size)
        texture = shape * (self.source_size or self.size) ** 2
        descent = descent_bytes(card, sides, self.needed_layers(), spending, PRESETS["impasto"].margin)
        if self.source_size is not None:
            descent += 2 * 3 * NUMBER * texture
        return max(descent, targets_bytes(card, texture, positive(self.layers), spending))


SPEC = KindSpec(
    name="texture_synthesis",
    params=TextureSynthesisParams,
    result=TextureSynthesisResult,
    resolved=(ResolvedTextureSynthesis,),
    function="worker.synthesis.texture_synthesis:texture_synthesis",
    stack_function="worker.synthesis.texture_synthesis:texture_synthesis_jobs",
    lane="long",
    shared_by_variations=("width", "height", "texture", "dtype"),
    title="Texture synthesis",
    summary="More of a texture, in any size, and seamless if it is to be tiled.",
    submit_label="Weave",
    command="texture-synthesis",
    primary_fields=("size", "aspect", "seamless"),
    label_fields=("layers", "steps", "network", "size"),
    file_extensions=PICTURE_EXTENSIONS,
    format_field="format",
    example={"size": 512, "seamless": True},
)
