"""Sizes of the style pictures at each scale."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InputError
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from worker.synthesis.plan import Scale, plan_scales

LAYERS = ("relu3",)
# What relu3 of the tiny network needs.
SMALLEST = 4

Size = tuple[int, int]


def make_params(**values: Any) -> ResolvedStyleTransfer:
    given = {"content": "c", "style": ["s"], "size": 512, "steps": 60, **values}
    return StyleTransferParams.model_validate(given).resolve(SHIPPED)


def plan(
    network: Network, *styles: Size, content: Size = (768, 1024), fine: Size | None = None, **values: Any
) -> list[Scale]:
    def blank(size: Size) -> torch.Tensor:
        # A view of one number, so that nothing is allocated.
        return torch.zeros(1).expand(1, 3, *size)

    pictures = {"content": [blank(content)], "style": [blank(size) for size in styles]}
    if fine is not None:
        pictures["fine_style"] = [blank(fine)]
    return plan_scales(make_params(style=["s"] * len(styles), **values), pictures, network, LAYERS)


def widths(scales: list[Scale], index: int = 0) -> list[int]:
    return [scale.style_sizes[index][1] for scale in scales]


def test_a_large_style_has_the_size_of_the_result(network: Network) -> None:
    scales = plan(network, (600, 800))
    assert [scale.size[1] for scale in scales] == widths(scales) == [91, 128, 181, 256, 362, 512]
    assert [scale.style_sizes[0][0] for scale in scales] == [68, 96, 136, 192, 272, 384]


def test_a_small_style_keeps_its_own_size(network: Network) -> None:
    scales = plan(network, (150, 200), (600, 800), (200, 150))
    assert widths(scales, 0) == [91, 128, 181, 200, 200, 200]
    assert widths(scales, 1) == [91, 128, 181, 256, 362, 512]
    assert scales[-1].style_sizes == ((150, 200), (384, 512), (200, 150))


@pytest.mark.parametrize(
    ("own", "style_scale", "expected"),
    [
        (800, 0.5, 256),
        (200, 0.5, 200),
        (800, 2.0, 1024),
        # Larger strokes are asked for: by that factor at most.
        (200, 2.0, 400),
        (200, 4.0, 800),
        (200, 1.1, 220),
    ],
)
def test_a_style_is_enlarged_by_the_style_scale_at_most(
    network: Network, own: int, style_scale: float, expected: int
) -> None:
    assert widths(plan(network, (own // 2, own), style_scale=style_scale))[-1] == expected


def test_each_style_has_a_scale_of_its_own(network: Network) -> None:
    scales = plan(network, (600, 800), (600, 800), (150, 200), style_scales=[0.5, 1.5, 2.0])

    assert [widths(scales, index)[-1] for index in range(3)] == [256, 768, 400]
    assert widths(scales, 0) == [46, 64, 90, 128, 181, 256]
    assert plan(network, (600, 800), style_scales=[0.5]) == plan(network, (600, 800), style_scale=0.5)


def test_a_style_size_is_the_same_whatever_the_size_of_the_result(network: Network) -> None:
    small = plan(network, (1500, 2000), style_size=400)
    large = plan(network, (1500, 2000), style_size=400, size=2048)

    assert small[-1].style_sizes == large[-1].style_sizes == ((300, 400),)
    # In proportion at the other scales: 400 / 512 and 400 / 2048 of the result's.
    assert widths(small) == [71, 100, 141, 200, 283, 400]
    assert widths(large)[-5:] == [100, 141, 200, 283, 400]
    assert plan(network, (600, 800), style_size=512) == plan(network, (600, 800))


def test_a_style_smaller_than_the_style_size_keeps_its_own(network: Network) -> None:
    assert widths(plan(network, (150, 200), style_size=400)) == [71, 100, 141, 200, 200, 200]


def test_a_style_size_that_is_too_small_names_the_one_that_works(network: Network) -> None:
    with pytest.raises(InputError, match=r"Of 16 px, a style picture .* size that works is 35\.") as caught:
        plan(network, (60, 600), (600, 600), style_size=16)
    assert caught.value.field == "style_size"
    # 3.5 px are rounded to 4.
    assert plan(network, (60, 600), (600, 600), style_size=35)[-1].style_sizes == ((4, 35), (35, 35))
    # A narrow result is not the style's fault.
    with pytest.raises(InputError, match=r"the result is only 1 px .* size that works is 56\.") as caught:
        plan(network, (600, 600), content=(64, 1024), size=16, style_size=16)
    assert caught.value.field == "size"


def test_the_fine_style_has_the_size_of_the_first_style(network: Network) -> None:
    scales = plan(network, (600, 800), (600, 800), fine=(800, 600), style_scales=[0.5, 1.0])
    assert [scale.fine_size for scale in scales][-2:] == [(181, 136), (256, 192)]
    assert plan(network, (600, 800), fine=(800, 600), style_size=100)[-1].fine_size == (100, 75)
    assert plan(network, (600, 800))[-1].fine_size is None
    with pytest.raises(InputError, match="the fine style is only 1 px"):
        plan(network, (600, 800), fine=(6, 600), size=64)


@pytest.mark.parametrize(
    ("own", "expected"), [((1, 1), (4, 4)), ((2, 3), (4, 6)), ((4, 5), (4, 5)), ((3, 48), (4, 64))]
)
def test_a_tiny_style_is_enlarged_until_the_layers_see_it(
    network: Network, own: Size, expected: Size
) -> None:
    assert plan(network, own)[-1].style_sizes == (expected,)


def test_a_style_too_narrow_names_the_size_that_works(network: Network) -> None:
    with pytest.raises(
        InputError, match=r"a style picture is only 2 px .* size that works is 112\."
    ) as caught:
        plan(network, (3, 96), size=64)
    assert caught.value.field == "size"
    assert plan(network, (3, 96), size=112)[-1].style_sizes == ((4, 112),)


@pytest.mark.medium
@given(
    own=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    size=st.integers(16, 4096),
    style_scale=st.floats(0.1, 4),
)
def test_no_style_is_enlarged_without_need(
    network: Network, own: Size, size: int, style_scale: float
) -> None:
    try:
        scales = plan(network, own, size=size, style_scale=style_scale)
    except InputError as error:
        assert error.field == "size"
        # It is too narrow at the size that is asked for, too.
        assert min(own) * size * style_scale / max(own) < SMALLEST + 1
        return
    for scale in scales:
        (found,) = scale.style_sizes
        asked = max(scale.size) * style_scale
        assert min(found) >= SMALLEST
        assert max(found) <= asked + 0.5
        assert max(found) <= max(own) * max(1, style_scale) + 0.5 or min(found) == SMALLEST
        assert max(found) >= min(asked, max(own)) - 0.5
