"""What every kind of job shares: a params class that is the API, the form and the command line."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args

from pydantic import ConfigDict

from app.errors import FieldError, InputError
from app.kinds.exact import Exact
from app.kinds.fields import (
    BitDepth,
    DatasetField,
    FormatField,
    NetworkField,
    NewNetworkField,
    PictureField,
    PictureFormat,
    format_of,
)
from app.kinds.work import Spending
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue

# Gives width and height in pixels, as displayed, of the pictures of a param, in order; None where unknown.
SidesOf = Callable[[str], Sequence[tuple[int, int] | None]]

R = TypeVar("R", bound="Params")
M = TypeVar("M")


@dataclass(frozen=True)
class NetworkNeed:
    """The network that a job computes with.

    ``layers`` are those that the job uses, by the param that named them, so that no more need be loaded;
    None: the whole network. ``pooling`` replaces the network's own. ``float32``: activations are float32
    whatever the worker's precision, for sums and differences of scores that bfloat16 would drown in its
    rounding. ``float32_weights``: the weights alone are float32, as those of a training are, whose
    activations may be less precise. A job that does not need the ``weights`` gets the network on the meta
    device, also where they are not here.
    """

    name: str
    layers: Mapping[str, Sequence[str]] | None = None
    pooling: Literal["average", "max"] | None = None
    float32: bool = False
    float32_weights: bool = False
    weights: bool = True


class Params(Exact):
    """Base of every kind's params.

    A null param means "what the preset says"; :meth:`resolve` fills it in, and the job stores the
    resolved params.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def picture_fields(cls) -> dict[str, PictureField]:
        """The params that are pictures, by name."""
        return cls._marked(PictureField)

    @classmethod
    def dataset_fields(cls) -> dict[str, DatasetField]:
        """The params that are sets, by name."""
        return cls._marked(DatasetField)

    @classmethod
    def network_fields(cls) -> dict[str, NetworkField]:
        """The params that name networks, by name."""
        return cls._marked(NetworkField)

    @classmethod
    def _marked(cls, kind: type[M]) -> dict[str, M]:
        return _marks(cls, kind)  # type: ignore[arg-type]

    def pictures(self) -> dict[str, list[str]]:
        """References of the pictures that this job needs, by param."""
        found: dict[str, list[str]] = {}
        for name in self.picture_fields():
            value = getattr(self, name)
            if value is not None:
                found[name] = [value] if isinstance(value, str) else list(value)
        return found

    def datasets(self) -> dict[str, str]:
        """References of the sets that this job needs or fills, by param."""
        values = {name: getattr(self, name) for name in self.dataset_fields()}
        return {name: value for name, value in values.items() if value is not None}

    def keeps_alpha_of(self) -> str | None:
        """The picture param whose transparency the result of this job keeps; None: the result is opaque."""
        return None

    def picture_file(self) -> tuple[PictureFormat, BitDepth]:
        """Format of the pictures that this job makes, and their bits a channel.

        PNG files of 8 bits if the kind has no params of that.
        """
        if not self._marked(FormatField):
            return "png", 8
        format_: PictureFormat = getattr(self, "format")  # noqa: B009
        bit_depth: BitDepth = getattr(self, "bit_depth")  # noqa: B009
        return format_, bit_depth

    def problem_of_ending(self, ending: str, clips: Collection[str]) -> str | None:
        """Why this job makes no file of an ending of its kind (``.png``), and what to do; None: it makes one.

        ``clips`` are the picture params that are given clips.
        """
        del clips
        format_, _ = self.picture_file()
        if self._marked(FormatField) and format_of(ending) != format_:
            return (
                f"The pictures of this job are {format_.upper()}: end the name so, or leave out the format."
            )
        return None

    def picture_side(self, field: str) -> int | None:
        """Longer side in pixels beyond which a picture's detail is of no use; None: keep it all."""
        del field
        return None

    def picture_short_side(self, field: str) -> int | None:
        """Shorter side in pixels beyond which detail is of no use, where nothing else is asked of the file.

        A JPEG is then decoded at an eighth, a quarter or half of its size, as long as its shorter side is
        twice as long. None: keep it all.
        """
        del field
        return None

    def problems_of_clips(self, is_clip: Mapping[str, bool]) -> list[FieldError]:
        """The params that do nothing beside what is given, each with why, and what to do about it.

        ``is_clip`` says of the params that clips may stand in whether one does, as far as that is known.
        """
        del is_clip
        return []

    def problems_of_sides(self, sides_of: SidesOf) -> list[FieldError]:
        """What is wrong with the shapes of this job's pictures, as far as they are known before it runs."""
        del sides_of
        return []

    def network_need(self) -> NetworkNeed | None:
        """The network that a job of these resolved params needs; None: none."""
        return None

    def further_networks(self) -> dict[str, str]:
        """The networks that a job of these resolved params needs beside that one, with the field of each."""
        need = self.network_need()
        if need is None:
            return {}
        found: dict[str, str] = {}
        for field in self.network_fields():
            value = getattr(self, field)
            named = [(field, value)] if isinstance(value, str) else _places(field, value or ())
            for place, name in named:
                if name != need.name:
                    found.setdefault(name, place)
        return found

    def new_networks(self) -> dict[str, str]:
        """The names that this job gives the network that it makes, by param; none: it finds one itself."""
        names = {field: getattr(self, field) for field in self._marked(NewNetworkField)}
        return {field: name for field, name in names.items() if name is not None}

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """The params that do nothing beside the other ones, each with why, and what to do about it.

        ``values`` are those of resolved params, or what is known of them: who leaves one out says nothing of
        what depends on it. A person who sets such a param is told so; what is stored has its default.
        """
        del values
        return {}

    @classmethod
    def _says(cls, name: str, value: Any) -> bool:
        """Whether a value of a param asks for anything: not its default, and not that there be none."""
        return value is not None and value is not False and value != _default_of(cls, name)

    @classmethod
    def with_defaults(cls, values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """``values`` with the defaults of the params ``names`` in their places."""
        return {**values, **{name: _default_of(cls, name) for name in names if name in values}}

    @classmethod
    def present_values(cls, values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        """Stored ``values`` of these params, by which the same job can be asked for today.

        The networks that ``names`` has bear the new ones. A kind adds what values of earlier versions lack.
        What was without effect has its default.
        """
        renamed = dict(values)
        for field in cls.network_fields():
            match values.get(field):
                case str(name):
                    renamed[field] = names.get(name, name)
                case list(several):
                    renamed[field] = [names.get(name, name) for name in several]
        return cls.with_defaults(renamed, cls.without_effect(renamed))

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """About how much work a job of these resolved params is, to be compared with others of its kind.

        ``card`` is that of the network that they need, ``members`` the pictures of their sets. In
        multiply-adds (app/kinds/work.py) where it depends on the params, else 1. None: nobody knows.
        """
        del card, members
        return 1.0

    def working_bytes(self, card: NetworkCard) -> float:
        """About the memory that a job of these resolved params takes for activations, and for pictures."""
        del card
        return 0.0

    def shaped_bytes(self, card: NetworkCard, spending: Spending, shape: float) -> float:
        """The same of a job whose result is shaped as its first picture, or that can spend less.

        ``shape`` is the shorter over the longer side of that picture.
        """
        del spending, shape
        return self.working_bytes(card)

    def needed_layers(self) -> list[str] | None:
        """The layers of the network that a job needs; None: all."""
        need = self.network_need()
        if need is None or need.layers is None:
            return None
        return [name for names in need.layers.values() for name in names]

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str | None:
        """What jobs of a kind with a ``stack_function`` share that can be computed together; None: nothing.

        Of resolved params, at most 200 characters: the network at least, and all else that the one
        computation has in common. ``sides`` has width and height of stored pictures by reference, for
        computations whose size follows from theirs; one that is not in it is of unknown size.
        """
        del sides
        return None

    @classmethod
    def of_other_pictures(cls, values: Mapping[str, Any], changed: Collection[str]) -> dict[str, Any]:
        """Stored ``values`` without those that are for the very pictures of the params ``changed``."""
        del changed
        return dict(values)

    @classmethod
    def continuing(
        cls, earlier: Mapping[str, Any], given: Mapping[str, Any], files: Collection[str] = ()
    ) -> dict[str, Any]:
        """The params of a job that continues one with the stored params ``earlier``.

        ``given`` are those that were asked for, null ones to take away what it had; ``files`` are picture
        params that come besides. Raises InputError for one that cannot change.
        """
        found = {name: value for name, value in earlier.items() if name not in files} | dict(given)
        # What was of use there may not be so beside what is asked for now.
        idle = cls.without_effect(found).keys() - given.keys() - set(files)
        return cls.with_defaults(found, idle)

    def resolve(self, catalogue: Catalogue) -> "Params":
        """These params with the values of presets and networks filled in, checked against a catalogue.

        Raises InputError that names the param.
        """
        del catalogue
        return self

    def resolved_as(self, cls: type[R], values: Mapping[str, Any]) -> R:
        """These params with some ``values`` in their places, as the class of a kind's resolved params.

        Raises InputError for one that was given, and does nothing.
        """
        whole = {**dict(self), **values}
        idle = self.without_effect(whole)
        for name, detail in idle.items():
            if self._says(name, getattr(self, name)):
                raise InputError(name, detail)
        return cls.model_validate(self.with_defaults(whole, idle))


def _places(field: str, names: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"{field}.{place}", name) for place, name in enumerate(names)]


@cache
def _default_of(cls: type[Params], name: str) -> Any:
    """The default of a param, as a request has it: those of resolved params may be others, or none."""
    owners = [each for each in cls.__mro__ if issubclass(each, Params) and name in each.model_fields]
    return owners[-1].model_fields[name].default


@cache
def _marks(cls: type[Params], kind: type[M]) -> dict[str, M]:
    return {
        name: mark
        for name, info in cls.model_fields.items()
        if (mark := _find_mark(kind, info.metadata, info.annotation)) is not None
    }


def _find_mark(kind: type[M], metadata: Sequence[Any], annotation: Any) -> M | None:
    """The mark of a param; that of ``PictureRef | None`` lies within the union."""
    for mark in metadata:
        if isinstance(mark, kind):
            return mark
    for inner in get_args(annotation):
        if (mark := _find_mark(kind, getattr(inner, "__metadata__", ()), inner)) is not None:
            return mark
    return None
