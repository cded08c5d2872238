"""Settings of style transfers that are compared, from the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from app.cli.options import bare_type, params_of
from app.errors import InputError
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds import Params
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import Catalogue

OPTION = "setting"
# The key that names a file of a palette network, as `impasto palette train` writes it.
PALETTE = "palette"
# What is the same for all settings: pictures, and the size, since distances depend on it.
FIXED = (*StyleTransferParams.picture_fields(), "size")
# The name of the results that somebody else published, beside those of settings.
PUBLISHED = "published"


@dataclass(frozen=True)
class Setting:
    """A named choice of params of style transfer, and a palette network if it is not the shipped one."""

    name: str
    options: Mapping[str, str]
    palette: Path | None = None

    def resolve(self, catalogue: Catalogue, pair: str, size: int, style_weight: float | None) -> Params:
        """The resolved params for a pair of pictures at a size, at the setting's style weight or another.

        Raises InputError on the option.
        """
        asked: dict[str, Any] = params_of(StyleTransferParams, dict(self.options))
        if style_weight is not None:
            asked["style_weight"] = style_weight
        pictures = {"content": f"content of {pair}", "style": [f"style of {pair}"]}
        try:
            return parse_params("style_transfer", {**asked, **pictures, "size": size}, catalogue)
        except ParamsError as error:
            first = error.errors[0]
            raise InputError(OPTION, f"{self.name}: {first.field}: {first.detail}") from None


def parse_setting(text: str) -> Setting:
    """A setting from ``name:key=value,key=value``; a name alone has the defaults.

    Keys are the options of `impasto style`, and ``palette``, the file of a network. A part without a key of
    its own goes on with the list before it: ``style_layers=relu1_1,relu2_1,steps=50``. Raises InputError.
    """
    name, _, rest = text.partition(":")
    name = name.strip()
    if not name or name == PUBLISHED or "=" in name:
        raise InputError(OPTION, f"{text!r} has no name of its own: write name:key=value,key=value.")
    options = _split(rest, name)
    palette = options.pop(PALETTE, None)
    return Setting(name, options, None if palette is None else Path(palette))


def _split(text: str, name: str) -> dict[str, str]:
    """The options of a setting, by param."""
    known = [each for each in StyleTransferParams.model_fields if each not in FIXED]
    options: dict[str, str] = {}
    last = ""
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if equals and key in (*known, PALETTE):
            if key in options:
                raise InputError(OPTION, f"{name}: {key} is there twice.")
            last, options[key] = key, value.strip()
        elif _is_list(last) and key not in FIXED:
            options[last] += f",{part}"
        elif key == "size":
            raise InputError(OPTION, f"{name}: size is the same for all: give it with --size.")
        else:
            there = ", ".join((*known, PALETTE))
            raise InputError(OPTION, f"{name}: {part!r} is no key=value. Keys: {there}.")
    return options


def _is_list(key: str) -> bool:
    info = StyleTransferParams.model_fields.get(key)
    return info is not None and get_origin(bare_type(info)) in (list, dict)


def parse_settings(texts: Sequence[str]) -> list[Setting]:
    """The settings of a command line, whose names must differ. Raises InputError."""
    settings = [parse_setting(text) for text in texts]
    names = [each.name for each in settings]
    for name in names:
        if names.count(name) > 1:
            raise InputError(OPTION, f"two settings are named {name!r}.")
    return settings


def parse_weights(text: str) -> list[float]:
    """Style weights from ``1,4,15``, in rising order. Raises InputError."""
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError("style-weights", f"{text!r} is no list of numbers: write 1,4,15,60.") from None
    if any(not 0 < weight < float("inf") for weight in weights):
        raise InputError("style-weights", f"{text!r}: every weight must be above 0 and finite.")
    return sorted(set(weights))
