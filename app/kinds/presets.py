"""Presets: named values for the params that a job leaves null."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from app.kinds.base import Params

# The param that names the preset, in every kind that has presets.
PRESET = "preset"


class Preset(BaseModel):
    """A named set of values; what of them is a param fills that param where it is null."""

    model_config = ConfigDict(frozen=True)

    summary: str


def with_preset(params: Params, preset: Preset) -> dict[str, Any]:
    """The values of the params that a preset gives: a job's own where it has one, else the preset's."""
    names = [name for name in type(preset).model_fields if name in type(params).model_fields]
    own = {name: getattr(params, name) for name in names}
    return {name: getattr(preset, name) if own[name] is None else own[name] for name in names}
