"""Pictures of named classes, drawn from seeds, that the palette network is trained on."""

from models.procedural.catalogue import CLASSES
from models.procedural.drawing import DATA_VERSION, draw

__all__ = ["CLASSES", "DATA_VERSION", "draw"]
