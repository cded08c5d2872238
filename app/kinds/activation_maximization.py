"""Params and presets of activation maximization: pictures that excite some part of a network most."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.errors import InputError
from app.kinds.base import Params
from app.kinds.fields import (
    DEFAULT_SIZE,
    MAX_PICTURES,
    BitsOfPicture,
    FormatOfPicture,
    NetworkName,
    NetworkSize,
    Seed,
    StepsOrPreset,
    Variations,
    following_seeds,
    split_names,
)
from app.kinds.spec import Preset, with_preset
from app.kinds.work import ASCENT_PIXELS, activation_bytes, steps_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK

PresetName = Literal["lucid", "maco", "simonyan-2014", "yosinski-2015"]
Parametrization = Literal["pixels", "fourier", "phase"]
Optimizer = Literal["gradient", "adam", "nadam", "lbfgs"]
TransformName = Literal["roll", "pad", "jitter", "scale", "rotate", "crop", "noise"]

# The largest extent of each transform, and its unit. A crop's is the smallest side of a box, as a share.
EXTENTS: dict[TransformName, tuple[float, str]] = {
    "roll": (1024, "pixels"),
    "pad": (1024, "pixels"),
    "jitter": (1024, "pixels"),
    "scale": (0.9, "of the size"),
    "rotate": (180, "degrees"),
    "crop": (1, "of the side"),
    "noise": (1, "of the range of values"),
}

# Steps from one blur to the next where nobody says: table 1 of Yosinski et al. 2015, third row.
BLUR_EVERY = 4

# Pixels of all pictures of a job together: more would not fit into the memory.
MAX_PIXELS = 1 << 24


def _extents(value: Any) -> Any:
    """``none`` means no transforms, as an empty field means the preset's."""
    names = split_names(value)
    return {} if isinstance(names, list) and all(name == "none" for name in names) else value


Transforms = Annotated[
    dict[TransformName, Annotated[float, Field(ge=0)]],
    BeforeValidator(_extents, json_schema_input_type=dict[TransformName, float]),
    Field(json_schema_extra={"widget": "extents"}),
]


class PresetValues(BaseModel):
    """The values that a preset gives, and that resolved params have; the defaults add nothing."""

    model_config = ConfigDict(frozen=True)

    parametrization: Parametrization
    noise: float | None
    transforms: Transforms = {}
    looks: int = 1
    optimizer: Optimizer
    step_size: float | None
    steps: int
    l2_weight: float = 0.0
    p_weight: float = 0.0
    tv_weight: float = 0.0
    decay: float = 0.0
    blur: float = 0.0
    blur_every: int | None = None


class MaximizationPreset(PresetValues, Preset):
    """A named way to make a picture that a network responds to."""


PRESETS: dict[str, MaximizationPreset] = {
    # Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017, and lucid, optvis/transform.py and
    # optvis/render.py: a decorrelated spectrum of deviation 0.01, pad 12 of grey, jitter 8, scale by up to
    # 10 %, rotate by up to 10 degrees, jitter 4 (one of 12 here), Adam of 0.05. Half its 512 steps.
    "lucid": MaximizationPreset(
        summary="A spectrum of decorrelated colours, under random transforms: the clearest shapes.",
        parametrization="fourier",
        noise=0.01,
        transforms={"pad": 12, "jitter": 12, "scale": 0.1, "rotate": 10},
        optimizer="adam",
        step_size=0.05,
        steps=256,
    ),
    # Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained
    # optimization", NeurIPS 2023, section 3 and appendix: phases alone, NAdam, noise and crops, of which it
    # takes several a step. Of pictures a tenth as wide as theirs a crop must show more than a quarter, and
    # with their step of 1.0 the score ends a fifth lower.
    "maco": MaximizationPreset(
        summary="Phases alone, with the magnitudes of photographs: as natural as a spectrum can be.",
        parametrization="phase",
        noise=None,
        transforms={"crop": 0.5, "noise": 0.05},
        looks=2,
        optimizer="nadam",
        step_size=0.3,
        steps=256,
    ),
    # Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks: visualising image classification
    # models and saliency maps", ICLR workshop 2014, section 2: from the zero image (the mean picture), the
    # score less lambda times the L2 norm. They give neither lambda nor the step: with three times this lambda
    # the pictures are pale, with a third of it they are speckled.
    "simonyan-2014": MaximizationPreset(
        summary="From the mean picture, the score less the picture's L2 norm: the lecture's method.",
        parametrization="pixels",
        noise=0.0,
        optimizer="gradient",
        step_size=0.02,
        steps=200,
        l2_weight=3.0,
    ),
    # Yosinski et al., "Understanding neural networks through deep visualization", 2015, table 1, third row,
    # with which most of its figures are made: decay 1e-4, blur of 1.0 every 4 steps, 1000 steps; from noise
    # of 10 levels about the mean picture, as in their code. They leave the step open: with a third of this
    # one the pictures are grey.
    "yosinski-2015": MaximizationPreset(
        summary="Pixels with decay and an occasional blur, which keep only what raises the score.",
        parametrization="pixels",
        noise=10 / 255,
        optimizer="gradient",
        step_size=0.03,
        steps=400,
        decay=1e-4,
        blur=1.0,
        blur_every=BLUR_EVERY,
    ),
}


class MaximizationParams(Params):
    """Params of the ascent: parametrization, transforms, optimizer and start, freely combined; penalties."""

    preset: PresetName = Field(
        "lucid",
        title="Method",
        description="Where the values left empty come from.",
        json_schema_extra={"widget": "preset"},
    )
    network: NetworkName = DEFAULT_NETWORK
    size: NetworkSize = Field(
        None,
        description=f"Side of each picture in pixels. Empty: what the network classifies, or {DEFAULT_SIZE}.",
    )
    variations: Variations = Field(
        1, description="Pictures of each, from this seed and those that follow it."
    )
    steps: StepsOrPreset = Field(None, description="Steps of the ascent.")
    parametrization: Parametrization | None = Field(
        None,
        title="Parametrisation",
        description="What is optimized: pixels, a spectrum of decorrelated colours, or its phases alone.",
    )
    noise: float | None = Field(
        None,
        ge=0,
        le=1,
        title="Noise",
        description="Standard deviation of the start: of pixel values, or of a spectrum.",
    )
    transforms: Transforms | None = Field(
        None,
        title="Transforms",
        description="Random transforms of the picture in each step: names with their extent, such as "
        "jitter=8, rotate=10, applied in a fixed order; or none.",
    )
    looks: int | None = Field(
        None, ge=1, le=64, title="Looks", description="Random views of the picture that a step averages over."
    )
    optimizer: Optimizer | None = Field(
        None, title="Optimizer", description="How the objective is maximized."
    )
    step_size: float | None = Field(
        None,
        gt=0,
        le=100,
        title="Step size",
        description="Typical change of a value in a step: of a pixel in [0, 1], of a spectrum, of a phase in "
        "radians. Not for L-BFGS.",
    )
    l2_weight: float | None = Field(
        None, ge=0, le=1e9, title="L2 weight", description="Cost of the squared distance from the mean color."
    )
    p_weight: float | None = Field(
        None,
        ge=0,
        le=1e9,
        title="p-norm weight",
        description="Cost of pixels outside the usual range.",
    )
    tv_weight: float | None = Field(
        None, ge=0, le=1e9, title="Smoothness", description="Cost of the total variation."
    )
    decay: float | None = Field(
        None,
        ge=0,
        lt=1,
        title="Decay",
        description="Share of its distance from the mean color that a pixel loses in each step.",
    )
    blur: float | None = Field(
        None,
        ge=0,
        le=20,
        title="Blur",
        description="Standard deviation in pixels of a blur every few steps; 0: none.",
    )
    blur_every: int | None = Field(
        None, ge=1, le=1000, title="Blur every", description="Steps from one blur to the next."
    )
    seed: Seed = Field(0, description="Seed of the start and the transforms.")
    format: FormatOfPicture = "png"
    bit_depth: BitsOfPicture = 8

    def seeds(self) -> list[int]:
        """The seeds of the variations; after the largest comes 0."""
        return following_seeds(self.seed, self.variations)

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """The step size with L-BFGS, and the rhythm of no blur."""
        found = dict[str, str]()
        if values.get("optimizer") == "lbfgs":
            found["step_size"] = "The steps of L-BFGS follow from the curvature: leave this out, or use adam."
        if values.get("blur") == 0:
            found["blur_every"] = "blur is 0: leave this out, or set blur to 1, say."
        return found

    def maximization_values(self, card: NetworkCard) -> dict[str, Any]:
        """The values of resolved params that the preset and the network give."""
        values = with_preset(self, PRESETS[self.preset])
        if values["parametrization"] == "phase":
            # A preset of another parametrization has noise to start from; phases start anywhere.
            values["noise"] = self.noise
        elif values["noise"] is None:
            values["noise"] = PRESETS["lucid"].noise
        values["blur_every"] = values["blur_every"] or BLUR_EVERY
        if not values["transforms"]:
            values["looks"] = self.looks or 1
        return values | {"size": self.size or card.input_size or DEFAULT_SIZE}


class ResolvedMaximization(PresetValues, MaximizationParams):
    """Resolved params of activation maximization.

    ``noise`` is null for phases alone, ``step_size`` for L-BFGS, ``blur_every`` without a blur.
    """

    size: int

    @property
    def pictures_made(self) -> int:
        """How many pictures the job makes."""
        return self.variations

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Steps of all pictures, each looked at as often as the preset does."""
        del members
        looks = self.looks * self.pictures_made
        return steps_work(card, [self.size], self.steps * looks, self.needed_layers())

    def working_bytes(self, card: NetworkCard) -> float:
        """Of as many pictures as ascend at once, with what they are padded by."""
        each = (self.size + 2 * round(self.transforms.get("pad", 0))) ** 2
        pixels = max(each, min(each * self.looks * self.pictures_made, ASCENT_PIXELS))
        return activation_bytes(card, pixels, self.needed_layers())

    def require_valid(self, pictures: int) -> None:
        """Check the combination of params of a job that makes ``pictures`` in all; InputError."""
        if pictures > MAX_PICTURES:
            raise InputError(
                "variations",
                f"This makes {pictures} pictures: ask for {MAX_PICTURES} at most, or send several jobs.",
            )
        if pictures * self.size**2 > MAX_PIXELS:
            largest = int((MAX_PIXELS / pictures) ** 0.5)
            raise InputError(
                "size",
                f"{pictures} pictures of {self.size} px are too many for one job: {largest} px is the most.",
            )
        self._check_pieces()

    def _check_pieces(self) -> None:
        if self.parametrization == "phase" and self.noise is not None:
            raise InputError(
                "noise", "Phases start anywhere: leave this out, or set parametrization to 'fourier'."
            )
        if self.parametrization != "pixels":
            for name in ("decay", "blur"):
                if getattr(self, name):
                    detail = f"Only pixels can, and this is {self.parametrization!r}: set {name} to 0."
                    raise InputError(name, detail)
        for name, extent in self.transforms.items():
            most, unit = EXTENTS[name]
            if extent > most:
                raise InputError("transforms", f"{name} goes to {most} {unit} at most, not {extent}.")
        if self.transforms.get("crop") == 0:
            raise InputError("transforms", "A crop of 0 has no pixels: its smallest side is a share above 0.")
        if self.optimizer == "lbfgs" and self.transforms:
            raise InputError(
                "optimizer",
                "L-BFGS needs an objective that stays as it is: set transforms to none, or use adam.",
            )
        if not self.transforms and self.looks != 1:
            raise InputError("looks", "Without transforms every look is the same: set it to 1.")
        if self.variations > 1 and self.noise == 0 and not self.transforms:
            raise InputError(
                "variations",
                "Without noise or transforms every seed gives one picture: set noise to 0.01, say.",
            )
