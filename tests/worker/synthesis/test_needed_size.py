"""The size that an error names works, and one less does not: of pictures that are loaded for their size."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InputError
from app.kinds.deep_dream import DeepDreamParams
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support import strange_pictures as strange
from tests.support.loading import load
from worker.optim.pyramids.scales import fit
from worker.synthesis.deep_dream import _plan
from worker.synthesis.needed_size import LARGEST_SIZE, as_loaded, smallest_size
from worker.synthesis.plan import plan_scales

LAYERS = ("relu3",)
Size = tuple[int, int]
SIZES = st.tuples(st.integers(1, 60), st.integers(200, 4000))


def refusal(run: Callable[[], Any]) -> tuple[str, int] | None:
    """The field and the size that an error names; None if there is none."""
    try:
        run()
    except InputError as error:
        assert error.field is not None
        found = re.search(r"size that works is (\d+)", error.detail)
        return error.field, int(found[1]) if found else 0
    return None


def require_exact(plan: Callable[..., Any], field: str, **sizes: int) -> None:
    """Whatever is refused names a size that is not, unless it is another field's fault, and one less is."""
    refused = refusal(lambda: plan(**sizes))
    if refused is None or refused[0] != field or refused[1] == 0:
        return
    works = refused[1]
    at_it = refusal(lambda: plan(**{**sizes, field: works}))
    assert at_it is None or at_it[0] != field
    assert refusal(lambda: plan(**{**sizes, field: works - 1})) is not None


@pytest.mark.medium
@given(content=SIZES, style=SIZES, size=st.integers(16, 300), style_size=st.integers(0, 300))
@settings(deadline=None)
def test_of_a_painting(network: Network, content: Size, style: Size, size: int, style_size: int) -> None:
    files = {"content": [content], "style": [style]}

    def plan(size: int, style_size: int = 0) -> object:
        given = {"content": "c", "style": ["s"], "size": size, "style_size": style_size or None}
        params = StyleTransferParams.model_validate(given).resolve(SHIPPED)
        pictures = {
            name: [as_loaded(each, params.picture_side(name)) for each in several]
            for name, several in files.items()
        }
        return plan_scales(params, pictures, network, LAYERS, files)

    style_size = style_size if style_size >= 16 else 0
    for field in ("size", "style_size"):
        if field == "size" or style_size:
            require_exact(plan, field, size=size, style_size=style_size)


@pytest.mark.medium
@given(file=SIZES, size=st.integers(16, 300))
@settings(deadline=None)
def test_of_a_dream(network: Network, file: Size, size: int) -> None:
    def plan(size: int) -> object:
        params = DeepDreamParams.model_validate({"image": "i", "size": size, "layers": {LAYERS[0]: 1.0}})
        resolved = params.model_copy(update={"network": "tiny"})
        start = as_loaded(fit(as_loaded(file, size), size), None)
        return _plan(resolved, start, file, network)  # type: ignore[arg-type]

    require_exact(plan, "size", size=size)


def test_a_picture_knows_the_sides_of_its_file() -> None:
    """Of 16 px it is 1 px high: no multiple of that says what 64 px would be."""
    data = strange.plain(size=(640, 20))
    assert (load(data, 16).sides, load(data, 16).rgb.shape[2:]) == ((20, 640), (1, 16))
    assert load(strange.rotated(6, size=(48, 24)), 16).sides == (48, 24)


@pytest.mark.parametrize(("above", "least"), [(16, 17), (16, 240), (16, 8192), (300, 301), (8191, 8192)])
def test_the_first_size_that_is_enough(above: int, least: int) -> None:
    tried = list[int]()

    def narrowest(size: int) -> int:
        tried.append(size)
        return size - least

    assert smallest_size(above, narrowest, 0) == least
    # None that is much larger was tried.
    assert max(tried) <= max(above + 1, 2 * least)


@pytest.mark.parametrize("above", [16, LARGEST_SIZE - 1, LARGEST_SIZE])
def test_there_may_be_none(above: int) -> None:
    assert smallest_size(above, lambda size: 0, 1) is None


def test_what_loads_has_those_sides() -> None:
    for height, width, side in ((20, 640, 16), (333, 1001, 77), (7, 5, 9)):
        picture = load(strange.plain(size=(width, height)), side)
        assert picture.rgb.shape == as_loaded((height, width), side).shape
        assert torch.equal(picture.rgb[..., :1, :1], picture.rgb[..., -1:, -1:])
