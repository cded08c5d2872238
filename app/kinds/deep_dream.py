"""Params of DeepDream: the one source of its defaults."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from app.errors import InputError
from app.kinds.base import (
    ClipRef,
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

# How far into a network its dreams are made of parts of things, rather than of strokes or of whole things:
# about two thirds of the way through its ReLUs. Chosen by eye on palette, where it is relu4_3; inception_4c
# of GoogLeNet, which the first dreams are from, lies as far.
DEPTH = 0.65

# Longer side in pixels that a guide is looked at with.
GUIDE_SIDE = 256

# Frames of a zoom video beyond which nobody watches, and pixels of all frames together, which are kept.
MOST_FRAMES = 600
MOST_VIDEO_PIXELS = 400_000_000


class DeepDreamParams(Params):
    """Exaggerate what a network sees in a picture (Mordvintsev, Olah, Tyka, "Inceptionism", 2015)."""

    kind: ClassVar[str] = "deep_dream"
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "DeepDream"
    summary: ClassVar[str] = "Exaggerate what a network sees in a picture, a zoom into it, or a clip."
    action: ClassVar[str] = "Dream"
    foremost: ClassVar[tuple[str, ...]] = ("layers", "strength", "size")
    endings: ClassVar[tuple[str, ...]] = (".png", ".mp4", ".webp")
    example: ClassVar[dict[str, Any]] = {"size": 600, "octaves": 4}
    alpha_of: ClassVar[str | None] = "image"

    image: ClipRef = Field(title="Picture", description="The picture to dream of, or a short clip.")
    layers: LayerWeights | None = Field(
        None,
        title="Layers",
        description="Layer names, or names with weights: early ones draw strokes, late ones parts of things. "
        "Empty: one in the middle.",
    )
    channels: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        min_length=1,
        max_length=32,
        title="Channels",
        description="Channels of the one layer to exaggerate. Empty: all it has to say.",
        json_schema_extra={"widget": "channels"},
    )
    strongest: int | None = Field(
        None,
        ge=1,
        le=32,
        title="Strongest channels",
        description="Exaggerate only so many channels of each layer: those that the picture excites most.",
    )
    guide: PictureRef | None = Field(
        None, title="Guide", description="Dream of what is in this picture, wherever something is like it."
    )
    network: str = Field("palette", title="Network", description="Name of the network that dreams.")
    # The original's width is 600 in most of the pictures that people know.
    size: int = Field(600, ge=16, le=8192, title="Size", description="Longer side of the result in pixels.")
    # google/deepdream, dream.ipynb: octave_n=4, octave_scale=1.4, iter_n=10, step_size=1.5, jitter=32.
    octaves: int = Field(
        4, ge=1, le=12, title="Octaves", description="Sizes at which it dreams, from small to full."
    )
    octave_scale: float = Field(
        1.4,
        ge=1.05,
        le=4,
        title="Octave scale",
        description="Ratio of each of these sizes to the one before.",
    )
    steps: int = Field(10, ge=1, le=1000, title="Steps", description="Steps at each octave.")
    strength: float = Field(
        1.5,
        gt=0,
        le=64,
        title="Strength",
        description="How far a step moves a color value on average, in levels of 255.",
    )
    jitter: int = Field(
        32,
        ge=0,
        le=1024,
        title="Jitter",
        description="Each step sees the picture rolled by up to so many pixels.",
    )
    # TensorFlow's deepdream.ipynb of 2016: lap_n=4.
    laplacian_levels: int = Field(
        4,
        ge=0,
        le=8,
        title="Laplacian levels",
        description="Bands of detail that a step moves equally, beside the rest; 0: the gradient as it is.",
    )
    frames: int | None = Field(
        None,
        ge=2,
        le=MOST_FRAMES,
        title="Frames",
        description="Of a picture: frames of a video that zooms into the dream. Of a clip: how many of its "
        "frames, at most.",
    )
    # google/deepdream zooms by 1.05 a frame.
    zoom: float = Field(
        1.05, ge=0.5, le=2, title="Zoom", description="Enlargement from frame to frame of a zoom video."
    )
    rotation: float = Field(
        0.0, ge=-180, le=180, title="Rotation", description="Degrees that a zoom video turns by each frame."
    )
    # As in pytorch-deepdream, where a frame is 0.85 of the clip's own.
    blend: float = Field(
        0.15,
        ge=0,
        lt=1,
        title="Blend",
        description="Share of the frame before, as dreamt, in what the next frame of a clip starts from.",
    )
    fps: float | None = Field(
        None, ge=1, le=60, title="Frames a second", description="Of a video. Empty: 15, or the clip's own."
    )
    format: Literal["mp4", "webp"] = Field("mp4", title="Format", description="Of a video.")
    variations: Variations = 1
    seed: int = Field(0, ge=0, le=2**63 - 1, title="Seed", description="Seed of the jitter.")

    def keeps_alpha_of(self) -> str | None:
        """A zoom moves away from where the picture was transparent."""
        return None if self.frames else self.alpha_of

    def picture_side(self, field: str) -> int | None:
        """The guide is looked at in one size, everything else in that of the result."""
        return min(self.size, GUIDE_SIDE) if field == "guide" else self.size

    def network_need(self) -> NetworkNeed | None:
        """The network that looks."""
        return NetworkNeed(self.network, {"layers": list(self.layers or ())})

    def resolve(self) -> Self:
        """Fill in the layers, and check them and what goes with them against the network."""
        card = require_card(self.network)
        layers = self.layers or {default_layer(card): 1.0}
        require_layers(card, list(layers), "layers")
        for name in layers:
            if card.layer(name).receptive_field == 0:
                raise InputError(
                    "layers", f"{name} sees the whole picture at once: use a convolution, relu or pool."
                )
        if not any(layers.values()):
            raise InputError("layers", "All weights are 0: give one layer a positive weight.")
        resolved = self.model_copy(update={"layers": layers})
        resolved._check_channels(card)
        resolved._check_variations()
        return resolved

    def _check_channels(self, card: NetworkCard) -> None:
        layers = list(self.layers or {})
        if self.guide is not None and (self.channels or self.strongest):
            raise InputError("guide", "A guide chooses by itself: leave out channels and strongest, or it.")
        if self.channels is None:
            return
        if self.strongest is not None:
            raise InputError("strongest", "The channels are named already: leave out one of the two.")
        if len(layers) != 1:
            raise InputError(
                "channels", f"Channels belong to one layer, and there are {len(layers)}: name one."
            )
        there = card.layer(layers[0]).channels
        for channel in self.channels:
            if channel >= there:
                raise InputError(
                    "channels", f"{layers[0]} has no channel {channel}: its channels are 0 to {there - 1}."
                )

    def _check_variations(self) -> None:
        if self.variations == 1:
            return
        if self.frames is not None:
            raise InputError(
                "variations", "Only a still picture has variations: leave out frames, or set this to 1."
            )
        if self.jitter == 0:
            raise InputError(
                "variations", "Without jitter every seed gives one picture: set jitter to 32, say."
            )
        require_sheet(self.variations, self.size)


def default_layer(card: NetworkCard) -> str:
    """The layer that dreams are made of if none is named: a ReLU, DEPTH of the way through the network."""
    seeing = [layer for layer in card.layers if layer.receptive_field > 0]
    choice = [layer for layer in seeing if layer.kind == "relu"] or seeing
    return choice[int(DEPTH * len(choice))].name
