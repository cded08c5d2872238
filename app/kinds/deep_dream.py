"""Params of DeepDream."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from app.errors import FieldError, InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    ClipRef,
    LayerWeights,
    NetworkName,
    PictureRef,
    ResultSize,
    Seed,
    Variations,
    format_of,
    require_sheet,
)
from app.kinds.layers import (
    middle_layer,
    require_card,
    require_channel,
    require_positive_weight,
    require_spatial_layers,
)
from app.kinds.results.pictures import DeepDreamResult
from app.kinds.spec import KindSpec
from app.kinds.work import COPIES, DREAM_TILE_BYTES, NUMBER, Spending, activation_bytes, steps_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK, Catalogue

# Longer side in pixels of a guide, as the network sees it.
GUIDE_SIDE = 256

# Frames of a video, and pixels of all its frames together, which are kept until its end.
MOST_FRAMES = 600
MOST_VIDEO_PIXELS = 400_000_000

# Params of a zoom into a picture, of a clip, and of either video.
_OF_ZOOM = ("zoom", "rotation")
_OF_CLIP = ("blend",)
_OF_VIDEO = ("fps", "format")


class DeepDreamParams(Params):
    """Exaggerate what a network sees in a picture (Mordvintsev, Olah, Tyka, "Inceptionism", 2015)."""

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
        description="Channels of the one layer to exaggerate. Empty: all of them.",
        json_schema_extra={"widget": "channels"},
    )
    strongest: int | None = Field(
        None,
        ge=1,
        le=32,
        title="Strongest channels",
        description="Exaggerate only this many channels of each layer: those that the picture excites most.",
    )
    guide: PictureRef | None = Field(
        None, title="Guide", description="Strengthen features that resemble those of this picture."
    )
    network: NetworkName = DEFAULT_NETWORK
    # The original's width is 600 in most of the pictures that people know.
    size: ResultSize = 600
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
    steps: int = Field(
        10,
        ge=1,
        le=1000,
        title="Steps",
        description="Steps at each octave.",
        json_schema_extra={"unit": "steps"},
    )
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
        description="Each step rolls the picture by up to this many pixels, at random.",
    )
    # TensorFlow's deepdream.ipynb of 2016: lap_n=4.
    laplacian_levels: int = Field(
        4,
        ge=0,
        le=8,
        title="Laplacian levels",
        description="Bands of detail that a step moves equally, beside the rest; 0: the gradient as it is.",
    )
    tone_shift: float = Field(
        0.1,
        ge=0,
        le=1,
        title="Shift of tones",
        description="How much of the change in the lightness and colours of large areas stays: with 0 they "
        "are the picture's, with 1 skies burn out.",
    )
    frames: int | None = Field(
        None,
        ge=2,
        le=MOST_FRAMES,
        title="Frames",
        description="Of a picture: frames of a video that zooms into the dream. Of a clip: how many of its "
        "frames, at most.",
        json_schema_extra={"unit": "frames"},
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
    seed: Seed = Field(0, description="Seed of the jitter.")

    def keeps_alpha_of(self) -> str | None:
        """The picture's, but of a zoom, which moves away from where it was transparent."""
        return None if self.frames else "image"

    def problem_of_ending(self, ending: str, clips: Collection[str]) -> str | None:
        """A video is made of a clip, or of a picture with ``frames``, and in one format."""
        if ending.lower() == ".png":
            return None
        if self.frames is None and "image" not in clips:
            return "Of a picture a video is made with --frames alone: add it, or end the name in .png."
        if format_of(ending) != self.format:
            return f"The video is {self.format}: end the name so, or leave out --format."
        return None

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """The ratio of octaves where there is one."""
        if values.get("octaves") == 1:
            return {"octave_scale": "There is one octave alone: leave this out, or set octaves to 2 or more."}
        return {}

    def problems_of_clips(self, is_clip: Mapping[str, bool]) -> list[FieldError]:
        """What is for videos of another kind than this one, or for a video where there is none."""
        if "image" not in is_clip:
            return []
        names: tuple[str, ...]
        if is_clip["image"]:
            names, detail = _OF_ZOOM, "This is of a zoom into a picture, and there is a clip: leave it out."
        elif self.frames:
            names, detail = _OF_CLIP, "This is of a clip, and there is a picture: leave it out."
        else:
            names = (*_OF_ZOOM, *_OF_CLIP, *_OF_VIDEO)
            detail = (
                "Of a picture a video is made with frames alone: leave this out, or set frames to 30, say."
            )
        asked = [name for name in names if self._says(name, getattr(self, name))]
        return [FieldError(name, detail) for name in asked]

    def picture_side(self, field: str) -> int | None:
        """GUIDE_SIDE for the guide, the size of the result for everything else."""
        return min(self.size, GUIDE_SIDE) if field == "guide" else self.size

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        return NetworkNeed(self.network, {"layers": list(self.layers or ())})

    def resolve(self, catalogue: Catalogue) -> "ResolvedDeepDream":
        """Fill in the layers, and check layers and channels against the network."""
        card = require_card(catalogue, self.network)
        layers = self.layers or {middle_layer(card): 1.0}
        require_spatial_layers(card, layers, "layers")
        require_positive_weight(layers, "layers")
        self._check_channels(card, list(layers))
        self._check_variations()
        return self.resolved_as(ResolvedDeepDream, {"layers": layers})

    def _check_channels(self, card: NetworkCard, layers: list[str]) -> None:
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
        for channel in self.channels:
            require_channel(card, layers[0], channel, "channels")

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


class ResolvedDeepDream(DeepDreamParams):
    """Resolved params of DeepDream."""

    layers: LayerWeights
    # Jobs that were stored before it could be chosen have none.
    tone_shift: float = 1.0

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Steps at each octave of each frame; of a clip with so many frames as were asked for."""
        del members
        sides = [self.size / self.octave_scale**octave for octave in range(self.octaves)]
        steps = self.steps * self.octaves * self.variations * (self.frames or 1)
        return steps_work(card, sides, steps, self.needed_layers())

    def shaped_bytes(self, card: NetworkCard, spending: Spending, shape: float) -> float:
        """In tiles of constant size, of a result shaped as the picture."""
        del spending
        pixels = shape * self.size**2
        in_tiles = min(activation_bytes(card, pixels, self.needed_layers()), DREAM_TILE_BYTES)
        return in_tiles + COPIES * 3 * NUMBER * pixels


SPEC = KindSpec(
    name="deep_dream",
    params=DeepDreamParams,
    result=DeepDreamResult,
    resolved=(ResolvedDeepDream,),
    function="worker.synthesis.deep_dream:deep_dream",
    lane="long",
    shared_by_variations=("width", "height", "octaves", "octaves_left_out", "without_answer", "channels"),
    title="DeepDream",
    summary="Exaggerate what a network sees in a picture, a zoom into it, or a clip.",
    submit_label="Dream",
    command="deep-dream",
    primary_fields=("layers", "strength", "size"),
    label_fields=("layers", "steps", "frames", "network", "size"),
    file_extensions=(".png", ".mp4", ".webp"),
    format_field="format",
    example={"size": 600, "octaves": 4},
)
