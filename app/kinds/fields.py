"""Types of params that several kinds share, with their limits, texts and what a form needs to show them.

JSON Schema extras: ``widget`` names the control of a form (``picture``, ``pictures``, ``clip``, ``job``,
``network``, ``dataset``, ``layer``, ``layers``, ``channels``, ``class``, ``classes``, ``extents``, ``names``,
``preset``, ``size``, or ``slider``: a factor of the preset's value, ``decades`` powers of ten to either
side); ``unit`` is written after the value on a label; ``title_prefix`` goes before the names of a param's
pictures in a job's title; ``built_in`` names the sets that need no upload; a set needs ``least_labels``
different labels;
``empty_means: equal`` marks a list that resolves to equal numbers when it is left empty, ``none`` a choice
that is then not made (otherwise it is made for the job).
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from app.errors import InputError
from app.networks.card import LARGEST_SHOWN, SMALLEST_SHOWN
from app.networks.names import NAME_PATTERN

# Side in pixels of the largest picture; a sheet of pictures that a job makes one after the other has no more
# pixels.
MAX_SIDE = 8192
MAX_SHEET_PIXELS = MAX_SIDE**2

# Pictures that one job makes side by side at most.
MAX_PICTURES = 64

# Side in pixels where neither the job nor the network says one.
DEFAULT_SIZE = 128

# The share of its shorter side that a classifier is shown of a picture: 224 of 256 pixels in Krizhevsky,
# Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks" (NIPS 2012), sections 2
# and 4.1, and in the published evaluations of most networks since.
CROP_SHARE = 0.875

# Characters of a reference.
MAX_REFERENCE = 200
_REFERENCE = "An image id, or `<job id>/<artifact>`."

# Side in pixels of the smallest picture that a network may be trained on.
SMALLEST_SEEN = SMALLEST_SHOWN


class PictureField:
    """Marks a param as a picture; ``many`` if it takes a list, ``clips`` if a clip may stand in its place.

    ``states``: it is what the job goes on from. The state that a job of its kind has kept may stand in its
    place, and the id of such a job for what it has made.
    """

    def __init__(self, many: bool = False, clips: bool = False, states: bool = False) -> None:
        self.many = many
        self.clips = clips
        self.states = states


class DatasetField:
    """Marks a param as a set; ``is_open`` if the job fills the set, and does not use it."""

    def __init__(self, is_open: bool = False) -> None:
        self.is_open = is_open


class NetworkField:
    """Marks a param as the name of a network, or of several."""


class NewNetworkField:
    """Marks a param as the name of the network that the job makes."""


class FormatField:
    """Marks a param as the format of the pictures that the job makes."""


def as_list(value: Any) -> Any:
    """A list of one from a single value."""
    return value if isinstance(value, list) else [value]


def split_names(value: Any) -> Any:
    """Names from ``a, b``, and from a mapping of names, whose values are dropped."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return list(value) if isinstance(value, dict) else value


def equal_weights(value: Any) -> Any:
    """A weight of 1 for each name of a list, or of ``a, b``."""
    names = split_names(value) if isinstance(value, str) else value
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return dict.fromkeys(names, 1.0)
    return names


PictureRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_REFERENCE,
        description=_REFERENCE,
        json_schema_extra={"widget": "picture"},
    ),
    PictureField(),
]
PictureRefs = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_REFERENCE)]],
    BeforeValidator(as_list, json_schema_input_type=str | list[str]),
    Field(
        min_length=1,
        max_length=8,
        description=f"One or several: {_REFERENCE}",
        json_schema_extra={"widget": "pictures"},
    ),
    PictureField(many=True),
]
# As many as one call takes files.
MAX_LISTED_PICTURES = 100
ManyPictureRefs = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_REFERENCE)]],
    BeforeValidator(as_list, json_schema_input_type=str | list[str]),
    Field(
        min_length=1,
        max_length=MAX_LISTED_PICTURES,
        description=f"One or several: {_REFERENCE}",
        json_schema_extra={"widget": "pictures"},
    ),
    PictureField(many=True),
]
ClipRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_REFERENCE,
        description=f"A picture, or a short video or animation: {_REFERENCE}",
        json_schema_extra={"widget": "clip"},
    ),
    PictureField(clips=True),
]
ContinuedRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_REFERENCE,
        description=f"A job, or a picture: {_REFERENCE}",
        json_schema_extra={"widget": "job"},
    ),
    PictureField(states=True),
]

# The job stores `<id>@<sha256>`, which names the same content wherever a recipe is fed back.
DatasetRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        title="Set",
        description="A set, by its name or id; `digits`, `palette` and `cifar10` are built in.",
        json_schema_extra={"widget": "dataset", "built_in": ["digits", "palette", "cifar10"]},
    ),
    DatasetField(),
]
OpenDatasetRef = Annotated[
    str,
    Field(min_length=1, max_length=200, title="Set", description="An open set, by its name or id."),
    DatasetField(is_open=True),
]

LayerName = Annotated[str, Field(json_schema_extra={"widget": "layer"})]
LayerNames = Annotated[
    list[str],
    BeforeValidator(split_names, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=40, json_schema_extra={"widget": "layers"}),
]
LayerWeights = Annotated[
    dict[str, Annotated[float, Field(ge=0)]],
    BeforeValidator(equal_weights, json_schema_input_type=list[str] | dict[str, float]),
    Field(min_length=1, max_length=40, json_schema_extra={"widget": "layers"}),
]

NetworkName = Annotated[
    str,
    Field(title="Network", description="Name of the network.", json_schema_extra={"widget": "network"}),
    NetworkField(),
]
NetworkNames = Annotated[
    list[str],
    BeforeValidator(split_names, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=8, title="Networks", json_schema_extra={"widget": "names"}),
    NetworkField(),
]
NewNetworkName = Annotated[
    str,
    Field(pattern=NAME_PATTERN, title="Name", description="Name of the new network."),
    NewNetworkField(),
]
MAX_SEED = 2**63 - 1
Seed = Annotated[
    int, Field(ge=0, le=MAX_SEED, title="Seed", description="Seed of everything that is drawn at random.")
]
Variations = Annotated[
    int,
    Field(
        ge=1,
        le=16,
        title="Variations",
        description="Pictures to make, from this seed and those that follow it.",
    ),
]
ResultSize = Annotated[
    int,
    Field(
        ge=16,
        le=MAX_SIDE,
        title="Size",
        description="Longer side of the result in pixels.",
        json_schema_extra={"widget": "size", "unit": "px"},
    ),
]
# For pictures that a network sees as a whole, without tiles.
MAX_SMALL_SIDE = LARGEST_SHOWN
SmallSize = Annotated[
    int, Field(ge=16, le=MAX_SMALL_SIDE, title="Size", json_schema_extra={"widget": "size", "unit": "px"})
]
NetworkSize = Annotated[
    int | None,
    Field(
        ge=SMALLEST_SEEN,
        le=MAX_SMALL_SIDE,
        title="Size",
        description=f"Side in pixels. Empty: what the network classifies, or {DEFAULT_SIZE}.",
        json_schema_extra={"widget": "size", "unit": "px"},
    ),
]
MOST_STEPS = 20_000
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS, title="Steps", json_schema_extra={"unit": "steps"})]
StepsOrPreset = Annotated[
    int | None, Field(ge=1, le=MOST_STEPS, title="Steps", json_schema_extra={"unit": "steps"})
]


PictureFormat = Literal["png", "jpeg", "webp", "tiff"]
BitDepth = Literal[8, 16]
PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
# Those with more than 8 bits a channel.
_DEEP = ("png", "tiff")


def _number(value: Any) -> Any:
    """The number that a form or a command line sends as text."""
    return int(value) if isinstance(value, str) and value in ("8", "16") else value


def _fits_format(bit_depth: BitDepth, info: ValidationInfo) -> BitDepth:
    format_ = info.data.get("format", "png")
    if bit_depth == 16 and format_ not in _DEEP:
        raise PydanticCustomError(
            "bit_depth",
            "A {format} file has 8 bits a channel: set format to 'png' or 'tiff', or this to 8",
            {"format": format_},
        )
    return bit_depth


# The params of a kind whose pictures may be kept otherwise than as PNG files of 8 bits: it has them as
# ``format`` and, after that, ``bit_depth``, and PICTURE_EXTENSIONS in its spec.
FormatOfPicture = Annotated[
    PictureFormat,
    Field(
        title="File format",
        description="Of the result. PNG, WebP and TIFF keep transparency, a JPEG lies on white. JPEG and "
        "WebP lose a little.",
    ),
    FormatField(),
]
BitsOfPicture = Annotated[
    BitDepth,
    BeforeValidator(_number, json_schema_input_type=BitDepth),
    AfterValidator(_fits_format),
    Field(title="Bits a channel", description="16 keeps finer steps, in PNG and TIFF files alone."),
]


def format_of(extension: str) -> str:
    """The format of files with an extension: ``.jpg`` is ``jpeg``."""
    name = extension.lower().removeprefix(".")
    return {"jpg": "jpeg", "tif": "tiff"}.get(name, name)


def following_seeds(seed: int, count: int) -> list[int]:
    """A seed and those that follow it, ``count`` in all; after the largest comes 0."""
    return [(seed + place) % 2**63 for place in range(count)]


def require_sheet(variations: int, size: int, share: float = 1.0) -> None:
    """Check that variations fit on one sheet, each ``share`` of a square of ``size`` pixels a side.

    Raises InputError on ``variations``.
    """
    if variations * share * size**2 <= MAX_SHEET_PIXELS:
        return
    most = int(MAX_SHEET_PIXELS / (share * size**2))
    side = int((MAX_SHEET_PIXELS / (variations * share)) ** 0.5)
    raise InputError(
        "variations",
        f"{variations} pictures of {size} px are too many for one job: ask for {most} at most, or set size "
        f"to {side} or less.",
    )
