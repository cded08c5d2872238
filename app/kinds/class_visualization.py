"""Params of class visualisation: the one source of its defaults."""

import difflib
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.ascent import AscentParams
from app.kinds.base import Lane, NetworkNeed, require_card
from app.networks import NetworkCard


def _texts(value: Any) -> Any:
    """One or several, each a name, or an index as a number or as text."""
    several = value if isinstance(value, list) else [value]
    return [str(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in several]


Targets = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    BeforeValidator(_texts, json_schema_input_type=str | int | list[str | int]),
    Field(min_length=1, max_length=64, json_schema_extra={"widget": "classes"}),
]


class ClassVisualizationParams(AscentParams):
    """What a network believes that a class looks like (Simonyan, Vedaldi, Zisserman 2014)."""

    kind: ClassVar[str] = "class_visualization"
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "Class visualisation"
    summary: ClassVar[str] = "What a network believes that a class looks like."
    action: ClassVar[str] = "Visualise"
    foremost: ClassVar[tuple[str, ...]] = ("target", "preset", "size")
    example: ClassVar[dict[str, Any]] = {"target": "spiral", "preset": "lucid"}

    target: Targets = Field(
        title="Classes", description="One class or several of the network, by name or by index."
    )

    def network_need(self) -> NetworkNeed | None:
        """The network that looks."""
        return NetworkNeed(self.network)

    def resolve(self) -> Self:
        """Fill in the preset's values and check classes and pieces against the network."""
        card = require_card(self.network)
        names = require_classes(card, self.target, "target")
        return self.model_copy(update={"target": names}).filled(card, len(names) * self.variations)


def require_classes(card: NetworkCard, given: list[str], field: str) -> list[str]:
    """The names, each once, of classes given by name or index; the index, where two share a name.

    Raises InputError on ``field`` that names the classes nearest to one that is not there.
    """
    if not card.classes:
        raise InputError("network", f"{card.name} cannot classify: choose a network that has classes.")
    return list(dict.fromkeys(_require_class(card, each, field) for each in given))


def class_index(card_classes: list[str] | tuple[str, ...], name: str) -> int:
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
