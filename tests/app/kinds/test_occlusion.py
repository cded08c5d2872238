"""Params of occlusion: positions, defaults, what is refused, and the lane."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InputError
from app.kinds.occlusion import MAX_POSITIONS, OcclusionParams, ResolvedOcclusion, lane_of, positions
from app.networks.catalogue import SHIPPED


def resolve(**values: Any) -> ResolvedOcclusion:
    return OcclusionParams(image="i", **values).resolve(SHIPPED)


@pytest.mark.parametrize(
    ("side", "window", "stride", "starts"),
    [
        (10, 1, 1, list(range(10))),
        (10, 2, 2, [0, 2, 4, 6, 8]),
        (10, 3, 3, [0, 3, 6, 7]),
        (10, 4, 3, [0, 3, 6]),
        (10, 10, 5, [0]),
        (224, 32, 16, list(range(0, 193, 16))),
    ],
)
def test_positions_by_hand(side: int, window: int, stride: int, starts: list[int]) -> None:
    assert positions(side, window, stride) == starts


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_every_pixel_is_covered(side: int, window: int, stride: int) -> None:
    window, stride = min(window, side), min(stride, window, side)
    starts = positions(side, window, stride)
    assert {start + pixel for start in starts for pixel in range(window)} == set(range(side))
    assert starts == sorted(set(starts))


def test_defaults_follow_the_size() -> None:
    params = resolve()
    assert (params.network, params.size, params.window, params.stride) == ("efficientnet_lite0", 224, 32, 16)
    assert params.target is None
    params = resolve(network="palette")
    assert (params.size, params.window, params.stride) == (128, 18, 9)


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"window": 225}, "window", "use 224 or less"),
        ({"window": 8, "stride": 9}, "stride", "use 8 or less"),
        ({"window": 32, "stride": 1}, "stride", "use 2 or more"),
        ({"target": "unicorn"}, "target", "has no class 'unicorn'"),
        ({"network": "vgg19-random"}, "network", "cannot classify"),
    ],
)
def test_what_is_refused(values: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        resolve(**values)
    assert refused.value.field == field


def test_the_stride_that_is_named_is_allowed() -> None:
    assert len(positions(224, 32, 2)) ** 2 <= MAX_POSITIONS < len(positions(224, 32, 1)) ** 2
    resolve(window=32, stride=2)


def test_the_lane_follows_the_work() -> None:
    few, many = resolve(network="palette", window=64, stride=64), resolve(stride=4)
    assert lane_of(few, SHIPPED.find("palette")) == "short"
    assert lane_of(many, SHIPPED.find("efficientnet_lite0")) == "long"
    assert lane_of(many, None) == "long"
