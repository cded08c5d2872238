"""The classes, in the order of their numbers."""

import pkgutil
from importlib import import_module

from models.procedural import classes
from models.procedural.registry import Drawing

_MODULES = [
    import_module(f"{classes.__name__}.{module.name}") for module in pkgutil.iter_modules(classes.__path__)
]

DRAWINGS: tuple[Drawing, ...] = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Drawing)),
        key=lambda drawing: drawing.name.lower(),
    )
)
CLASSES = tuple(drawing.name for drawing in DRAWINGS)
"""Names of the classes in alphabetical order; the place is the number."""
