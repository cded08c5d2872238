"""The classes, in the order of their numbers."""

from models.procedural.classes import (
    animals,
    cloth,
    creatures,
    curls,
    elements,
    eyes,
    facets,
    fractals,
    globes,
    growth,
    lines,
    marks,
    natural,
    patterns,
    peacock,
    plants,
    radial,
    rosettes,
    scaly,
    scenes,
    shapes,
    tiles,
    woven,
)
from models.procedural.registry import Drawing

_MODULES = (
    animals,
    cloth,
    creatures,
    curls,
    elements,
    eyes,
    facets,
    fractals,
    globes,
    growth,
    lines,
    marks,
    natural,
    patterns,
    peacock,
    plants,
    radial,
    rosettes,
    scaly,
    scenes,
    shapes,
    tiles,
    woven,
)

DRAWINGS: tuple[Drawing, ...] = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Drawing)),
        key=lambda drawing: drawing.name.lower(),
    )
)
CLASSES = tuple(drawing.name for drawing in DRAWINGS)
"""Names of the classes in alphabetical order; the place is the number."""
