"""Params that name classes of a network."""

import difflib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.fields import as_list
from app.networks import NetworkCard


def _as_text(value: Any) -> Any:
    """A class by index, as a number or as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClassName = Annotated[
    Annotated[str, Field(min_length=1, max_length=200)],
    BeforeValidator(_as_text, json_schema_input_type=str | int),
    Field(json_schema_extra={"widget": "class"}),
]
ClassNames = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_as_text)]],
    BeforeValidator(as_list, json_schema_input_type=str | int | list[str | int]),
    Field(min_length=1, max_length=64, json_schema_extra={"widget": "classes"}),
]


def require_classifier(card: NetworkCard, field: str = "network") -> None:
    """Check that a network has classes. Raises InputError on ``field``."""
    if not card.classes:
        raise InputError(field, f"{card.name} cannot classify: choose a network that has classes.")


def require_classes(card: NetworkCard, given: list[str], field: str) -> list[str]:
    """The names, each once, of classes given by name or index; the index, where two share a name.

    Raises InputError on ``field`` that names the classes nearest to one that is not there.
    """
    require_classifier(card)
    return list(dict.fromkeys(_require_class(card, each, field) for each in given))


def class_index(card_classes: Sequence[str], name: str) -> int:
    """The index of a class as :func:`require_classes` names it."""
    return card_classes.index(name) if name in card_classes else int(name)


def _require_class(card: NetworkCard, given: str, field: str) -> str:
    classes = card.classes
    folded = [name.casefold() for name in classes]
    wanted = given.strip().casefold()
    if wanted in folded:
        places = [place for place, name in enumerate(folded) if name == wanted]
        if len(places) > 1:
            indices = ", ".join(map(str, places))
            raise InputError(field, f"{card.name} has several classes {given!r}: give the index ({indices}).")
        return classes[places[0]]
    if wanted.isdecimal():
        index = int(wanted)
        if index >= len(classes):
            raise InputError(
                field, f"{card.name} has no class {index}: its classes are 0 to {len(classes) - 1}."
            )
        return classes[index] if folded.count(folded[index]) == 1 else str(index)
    near = difflib.get_close_matches(wanted, folded, n=3)
    if near:
        said = " or ".join(repr(classes[folded.index(name)]) for name in near)
        raise InputError(field, f"{card.name} has no class {given!r}. Did you mean {said}?")
    some = ", ".join(classes[:8])
    raise InputError(
        field, f"{card.name} has no class {given!r}. Its {len(classes)} classes begin with {some}."
    )
