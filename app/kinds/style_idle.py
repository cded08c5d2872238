"""Params of a style transfer that do nothing beside the other ones."""

from collections.abc import Mapping
from typing import Any

from app.kinds.spec import PRESET
from app.kinds.style_presets import PRESETS

# Params of the losses of content, and of style, beside their layers.
_OF_CONTENT = ("content_loss", "content_weight_map")
_OF_STYLE = ("style_loss", "style_scale", "style_scales", "style_size", "style_masks", "fine_style")
_NO_WEIGHT = "{0} is 0, so that this counts for nothing: leave it out, or set {0} to more."
_NO_LAYER = (
    "The layers of {0} all weigh 0, so that this counts for nothing: leave it out, or set them to more."
)


def without_effect(values: Mapping[str, Any]) -> dict[str, str]:
    """What is of losses that have no weight, and what is started from where a job goes on.

    Each with why, and what to do about it. ``values`` are those of resolved params, or what is known of them.
    """
    found = dict[str, str]()
    if values.get("content_weight") == 0:
        found = dict.fromkeys((*_OF_CONTENT, "content_layers"), _NO_WEIGHT.format("content_weight"))
    elif _weightless(values.get("content_layers")):
        found = dict.fromkeys(_OF_CONTENT, _NO_LAYER.format("content_layers"))
    style = dict[str, str]()
    if values.get("style_weight") == 0:
        style = dict.fromkeys((*_OF_STYLE, "style_layers"), _NO_WEIGHT.format("style_weight"))
    elif _weightless(values.get("style_layers")):
        style = dict.fromkeys(_OF_STYLE, _NO_LAYER.format("style_layers"))
    if values.get("color") == "style" and values.get("color_match") != "none":
        # Its colors count.
        style.pop("fine_style", None)
    if style and _shares_without_effect(values):
        style["style_weights"] = style["style_loss"]
    if values.get("continue_from") is not None:
        found["init"] = "The picture to continue is what this starts from: leave one of the two out."
    return found | style


def _shares_without_effect(values: Mapping[str, Any]) -> bool:
    """Whether it is of no matter for the colors, either, which style counts more, where none is painted."""
    shares, preset = values.get("style_weights"), PRESETS.get(values.get(PRESET, ""))
    if not shares or len(set(shares)) == 1 or preset is None:
        return False
    has_colors = values.get("color") != "style" or values.get("fine_style") is not None
    return has_colors or not (preset.limits_chroma or values.get("color_match") != "none")


def _weightless(layers: Any) -> bool:
    """Whether there are layers, and none of them weighs anything."""
    return isinstance(layers, dict) and not any(layers.values())
