"""What the service, the page, the command line and the workers know of a kind of job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Literal, TypeVar, Union

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from app.kinds.base import Params
from app.kinds.results.base import Result
from app.networks.card import NetworkCard

# short: what takes less than a second; long: synthesis, and whatever else takes longer; training.
Lane = Literal["short", "long", "training"]

# Multiply-adds a second on one thread, to predict how long a job takes. The convolutions of palette made
# 1.0e11 at 224 px in float32 with AVX-512; those of networks that are not so dense, such as depthwise ones,
# a tenth of that, and older processors less.
MULTIPLY_ADDS_PER_SECOND = 2e10
SHORT_SECONDS = 1.0
# A tile of 2 GiB takes one to two minutes, forward and backward, on a slow core that others use, too.
STALL_SECONDS = 900.0

Group = Literal["Make pictures", "Look inside", "Train"]

# The param that names the preset, in every kind that has presets.
PRESET = "preset"

P = TypeVar("P", bound=Params, covariant=True)


class Preset(BaseModel):
    """A named set of values; what of them is a param fills that param where it is null."""

    model_config = ConfigDict(frozen=True)

    summary: str


def lane_by_work(multiply_adds: float | None) -> Lane:
    """The lane of a job of so many multiply-adds: ``short`` if they are predicted to take under a second.

    A backward pass counts as two forward ones. ``None`` (nobody knows) is ``long``.
    """
    if multiply_adds is None or multiply_adds >= SHORT_SECONDS * MULTIPLY_ADDS_PER_SECOND:
        return "long"
    return "short"


def with_preset(params: Params, preset: Preset) -> dict[str, Any]:
    """The values of the params that a preset gives: a job's own where it has one, else the preset's."""
    names = [name for name in type(preset).model_fields if name in type(params).model_fields]
    own = {name: getattr(params, name) for name in names}
    return {name: getattr(preset, name) if own[name] is None else own[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class KindSpec(Generic[P]):
    """A kind of job. What a single job needs (pictures, network, layers) its params say."""

    name: str
    params: type[P]
    # What `params.resolve()` gives: one class, or several for jobs that differ in what cannot be null.
    # Empty: the params class itself.
    resolved: tuple[type[P], ...] = ()
    # What the result of a job is, for the API's description and its clients; a test holds jobs against it.
    result: type[Result]
    # The generator that computes it, as "module:name"; see worker/runtime/functions.py.
    function: str
    # What computes several jobs at once, as "module:name", if there is such; see worker/runtime/functions.py.
    # Waiting jobs whose params have the same `stack_key()` are then claimed and computed together.
    stack_function: str | None = None
    # Which jobs are: all of a lane, where the results are the same as alone; or only those of one batch,
    # where they differ in the last bits.
    stacks_within: Literal["lane", "batch"] = "batch"
    # The lane, or what decides it from resolved params, of a class in `resolved`, and their network's card.
    lane: Lane | Callable[[Any, NetworkCard | None], Lane]
    # Seconds that its own route waits for the end of the job where a request does not say.
    wait_seconds: int = 0
    # Seconds after which a running job counts as hung if it has made no step and no part of one, such as a
    # tile; `IMPASTO_STALL_FACTOR` scales them. More for kinds that are silent for long.
    stall_seconds: float = STALL_SECONDS
    # Whether a job that has begun can be told to end early, with the best that it has: `finish` of its steps.
    can_finish: bool = False
    # Where `variations` means that the function runs once a seed: the result entries that are the same for
    # every seed. None: the function makes its variations itself, or has none.
    shared_by_variations: tuple[str, ...] | None = None

    title: str
    summary: str
    # Text of the button that sends such a job.
    submit_label: str = "Start"
    # Its subcommand of `impasto`; None: it has none.
    command: str | None = None
    # Whether forms and lists of what was made offer it.
    listed: bool = True
    # Under which heading.
    group: Group = "Make pictures"
    # Kinds that show, side by side, what speaks for a class in this kind's ranking; they take `image`,
    # `target` and `network`.
    class_looks: tuple[str, ...] = ()
    # Picture params that its command is given as arguments, none of them required: the one for a single file,
    # and the one for several.
    arguments: tuple[str, str] | None = None
    # Params that a form shows first, beside its pictures.
    primary_fields: tuple[str, ...] = ()
    # Params that the label of a result names, in this order.
    label_fields: tuple[str, ...] = ()
    # Extensions of the files that the main result may come in; none: numbers alone.
    file_extensions: tuple[str, ...] = (".png",)
    # The param that says which of these it is, if there is one; its choices are formats.
    format_field: str | None = None
    # Entries of the result that its command prints as tables, each with the columns to print (none: all).
    # Such a command needs no output file.
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Params of an example, beside its pictures: those that are required, and one that the example needs.
    example: Mapping[str, JsonValue] = field(default_factory=dict)
    example_picture: str | None = None
    presets: Mapping[str, Preset] = field(default_factory=dict)

    @property
    def fixed_lane(self) -> Lane | None:
        """The lane of all jobs of this kind; None if that depends on the job."""
        return None if callable(self.lane) else self.lane

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that jobs of this kind may be in."""
        return ("short", "long") if self.fixed_lane is None else (self.fixed_lane,)

    def lane_of(self, params: Params, card: NetworkCard | None) -> Lane:
        """The lane of a job of resolved params; ``card`` is that of the network that they need, if any."""
        return self.lane(params, card) if callable(self.lane) else self.lane

    def load(self, stored: Mapping[str, Any]) -> P:
        """Resolved params as a job or a recipe stores them. Raises pydantic's ValidationError."""
        params: P = _adapter(self.resolved or (self.params,)).validate_python(dict(stored))
        return params


@cache
def _adapter(classes: tuple[type[Params], ...]) -> TypeAdapter[Any]:
    return TypeAdapter(Union[classes])  # type: ignore[arg-type]  # noqa: UP007
