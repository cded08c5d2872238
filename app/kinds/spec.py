"""What the service, the page, the command line and the workers know of a kind of job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Literal, TypeVar, Union

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from app.kinds.base import Params

Lane = Literal["short", "long", "training"]

# The param that names the preset, in every kind that has presets.
PRESET = "preset"

P = TypeVar("P", bound=Params, covariant=True)


class Preset(BaseModel):
    """A named set of values; what of them is a param fills that param where it is null."""

    model_config = ConfigDict(frozen=True)

    summary: str


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
    # The generator that computes it, as "module:name"; see worker/runtime/functions.py.
    function: str
    lane: Lane
    # Seconds that its own route waits for the end of the job where a request does not say.
    wait_seconds: int = 0
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
    # Params that a form shows first, beside its pictures.
    primary_fields: tuple[str, ...] = ()
    # Params that the label of a result names, in this order.
    label_fields: tuple[str, ...] = ()
    # Extensions of the files that the main result may come in; none: numbers alone.
    file_extensions: tuple[str, ...] = (".png",)
    # The param that says which of these it is, if there is one; its choices are extensions without the dot.
    format_field: str | None = None
    # Entries of the result, lists of objects, that its command prints as tables where nothing else is asked
    # for: then it needs no output file.
    tables: tuple[str, ...] = ()
    # Params of an example, beside its pictures.
    example: Mapping[str, JsonValue] = field(default_factory=dict)
    presets: Mapping[str, Preset] = field(default_factory=dict)

    def load(self, stored: Mapping[str, Any]) -> P:
        """Resolved params as a job or a recipe stores them. Raises pydantic's ValidationError."""
        params: P = _adapter(self.resolved or (self.params,)).validate_python(dict(stored))
        return params


@cache
def _adapter(classes: tuple[type[Params], ...]) -> TypeAdapter[Any]:
    return TypeAdapter(Union[classes])  # type: ignore[arg-type]  # noqa: UP007
