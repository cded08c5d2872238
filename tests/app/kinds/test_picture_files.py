"""Format and depth of the pictures that jobs make, as params."""

from typing import Any

import pytest

from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds import KINDS
from app.kinds.fields import FormatField, format_of
from app.networks.catalogue import SHIPPED

REQUIRED: dict[str, dict[str, Any]] = {
    "style_transfer": {"content": "c", "style": "s"},
    "texture_synthesis": {"image": "i"},
    "feature_inversion": {"image": "i"},
    "class_visualization": {"target": "0"},
    "feature_visualization": {},
}


def test_these_kinds_keep_pictures_as_asked_for() -> None:
    assert REQUIRED.keys() == {name for name, spec in KINDS.items() if spec.params._marked(FormatField)}


@pytest.mark.parametrize("kind", REQUIRED)
def test_format_and_depth_are_those_of_the_job(kind: str) -> None:
    assert parse_params(kind, REQUIRED[kind], SHIPPED).picture_file() == ("png", 8)
    # As a form or a command line sends them.
    asked = {**REQUIRED[kind], "format": "tiff", "bit_depth": "16"}
    assert parse_params(kind, asked, SHIPPED).picture_file() == ("tiff", 16)


@pytest.mark.parametrize("kind", REQUIRED)
@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_16_bits_in_a_format_of_8_are_refused_with_a_remedy(kind: str, format: str) -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params(kind, {**REQUIRED[kind], "format": format, "bit_depth": 16}, SHIPPED)
    (error,) = caught.value.errors
    assert error.field == "bit_depth"
    assert error.detail.startswith(f"A {format} file has 8 bits a channel: set format to 'png' or 'tiff'")


@pytest.mark.parametrize("values", [{"format": "gif"}, {"bit_depth": 12}, {"bit_depth": "x"}])
def test_what_there_is_not(values: dict[str, Any]) -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params("style_transfer", {**REQUIRED["style_transfer"], **values}, SHIPPED)
    assert caught.value.errors[0].field == next(iter(values))


def test_other_kinds_make_png_files_of_8_bits() -> None:
    assert parse_params("saliency", {"image": "i"}, SHIPPED).picture_file() == ("png", 8)


@pytest.mark.parametrize(("extension", "format"), [(".JPG", "jpeg"), (".tif", "tiff"), (".png", "png")])
def test_formats_of_extensions(extension: str, format: str) -> None:
    assert format_of(extension) == format
