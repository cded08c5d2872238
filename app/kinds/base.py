"""What every kind of job shares: a params class that is the API, the form and the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.errors import InputError
from app.networks import NetworkCard, get_card, list_cards

Lane = Literal["short", "long", "training"]

# Pixels of all pictures together that a job makes one after the other, and lays on a sheet at the end: as
# many as the largest single picture has.
MOST_SHEET_PIXELS = 8192**2


class PictureField:
    """Marks a param as a picture; ``many`` if it takes a list, ``clips`` if a clip may stand in its place."""

    def __init__(self, many: bool = False, clips: bool = False) -> None:
        self.many = many
        self.clips = clips


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_REFERENCE = "An image id, or `<job id>/<artifact>`."

PictureRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description=_REFERENCE,
        json_schema_extra={"widget": "picture"},
    ),
    PictureField(),
]
PictureRefs = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    BeforeValidator(_one_or_many, json_schema_input_type=str | list[str]),
    Field(
        min_length=1,
        max_length=8,
        description=f"One or several: {_REFERENCE}",
        json_schema_extra={"widget": "pictures"},
    ),
    PictureField(many=True),
]
ClipRef = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description=f"A picture, or a short video or animation: {_REFERENCE}",
        json_schema_extra={"widget": "clip"},
    ),
    PictureField(clips=True),
]


def _equal_weights(value: Any) -> Any:
    """A list of layer names means a weight of 1 each."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, 1.0)
    return value


LayerWeights = Annotated[
    dict[str, Annotated[float, Field(ge=0)]],
    BeforeValidator(_equal_weights, json_schema_input_type=list[str] | dict[str, float]),
    Field(min_length=1, max_length=40, json_schema_extra={"widget": "layers"}),
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


@dataclass(frozen=True)
class NetworkNeed:
    """The network that a job computes with.

    ``layers`` are those that it looks at, by the param that named them, so that no more need be loaded; None:
    all of the network. ``pooling`` takes the place of the network's own.
    """

    name: str
    layers: Mapping[str, Sequence[str]] | None = None
    pooling: Literal["average", "max"] | None = None


class Params(BaseModel):
    """Base of every kind's params.

    A null param means "what the preset says"; :meth:`resolve` fills it in, and the job stores the
    resolved params.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: ClassVar[str]
    lane: ClassVar[Lane]
    title: ClassVar[str]
    summary: ClassVar[str]
    # What a button that sends such a job says.
    action: ClassVar[str] = "Start"
    # Params that a form shows first, beside its pictures.
    foremost: ClassVar[tuple[str, ...]] = ()
    # Endings of the files that the main result may come in; none: numbers alone.
    endings: ClassVar[tuple[str, ...]] = (".png",)
    # Whether it is among what people choose from: forms, lists of what was made, commands.
    offered: ClassVar[bool] = True
    # Params of an example, beside its pictures.
    example: ClassVar[dict[str, Any]] = {}
    # The picture param whose transparency the result keeps.
    alpha_of: ClassVar[str | None] = None

    @classmethod
    def presets(cls) -> dict[str, dict[str, Any]]:
        """Presets by name: a ``summary``, and the ``values`` that it gives to params left null."""
        return {}

    @classmethod
    def picture_fields(cls) -> dict[str, PictureField]:
        """The params that are pictures, by name."""
        return {
            name: mark
            for name, info in cls.model_fields.items()
            if (mark := _picture_mark(info.metadata, info.annotation)) is not None
        }

    def pictures(self) -> dict[str, list[str]]:
        """References of the pictures that this job needs, by param."""
        found: dict[str, list[str]] = {}
        for name in self.picture_fields():
            value = getattr(self, name)
            if value is not None:
                found[name] = [value] if isinstance(value, str) else list(value)
        return found

    def keeps_alpha_of(self) -> str | None:
        """The picture param whose transparency the result of this very job keeps."""
        return self.alpha_of

    def picture_side(self, field: str) -> int | None:
        """Longer side in pixels beyond which a picture's detail is of no use; None: keep it all."""
        del field
        return None

    def network_need(self) -> NetworkNeed | None:
        """The network that a job of these resolved params needs; None: none."""
        return None

    def resolve(self) -> Self:
        """These params with nothing left null that the preset knows, checked against the network.

        Raises InputError that names the param.
        """
        return self


def _picture_mark(metadata: Sequence[Any], annotation: Any) -> PictureField | None:
    """The mark of a param; that of ``PictureRef | None`` lies within the union."""
    for mark in metadata:
        if isinstance(mark, PictureField):
            return mark
    for inner in get_args(annotation):
        if (mark := _picture_mark(getattr(inner, "__metadata__", ()), inner)) is not None:
            return mark
    return None


def following_seeds(seed: int, count: int) -> list[int]:
    """A seed and those that follow it, ``count`` in all; one that is too large begins anew at 0."""
    return [(seed + place) % 2**63 for place in range(count)]


def require_sheet(variations: int, size: int, share: float = 1.0) -> None:
    """Check that so many pictures go on one sheet, each ``share`` of a square of ``size`` pixels a side.

    Raises InputError on ``variations``.
    """
    if variations * share * size**2 <= MOST_SHEET_PIXELS:
        return
    most = int(MOST_SHEET_PIXELS / (share * size**2))
    side = int((MOST_SHEET_PIXELS / (variations * share)) ** 0.5)
    raise InputError(
        "variations",
        f"{variations} pictures of {size} px are too many for one job: ask for {most} at most, or set size "
        f"to {side} or less.",
    )


def require_card(name: str, field: str = "network") -> NetworkCard:
    """The card of a network, or an InputError that lists those there are."""
    try:
        return get_card(name)
    except KeyError:
        known = ", ".join(card.name for card in list_cards())
        raise InputError(field, f"There is no network {name!r}. Networks: {known}.") from None


def require_layers(card: NetworkCard, names: list[str], field: str) -> None:
    """Check that a network has all the layers named; InputError that lists what it has."""
    known = card.layer_names
    for name in names:
        if name not in known:
            raise InputError(field, f"{card.name} has no layer {name!r}. Layers: {', '.join(known)}.")
