"""The presets of the kinds that have some, in one shape."""

from typing import Any

from app.jobs.kinds.base import Params
from app.jobs.kinds.style_transfer import PRESETS, StyleTransferParams


def presets_of(cls: type[Params]) -> dict[str, dict[str, Any]]:
    """Presets of a kind by name: a summary, and the values it gives to params left null."""
    if cls is not StyleTransferParams:
        return {}
    return {
        name: {"summary": preset.summary, "values": preset.model_dump(exclude={"summary"})}
        for name, preset in PRESETS.items()
    }
