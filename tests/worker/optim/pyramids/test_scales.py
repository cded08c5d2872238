import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.kinds.work import scale_sides
from worker.optim.pyramids.scales import center_crop, fit, resize, share_steps


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [
        (734, 979, 256, (192, 256)),
        (979, 734, 256, (256, 192)),
        (1, 1, 256, (256, 256)),
        (10, 320, 256, (8, 256)),
        (1, 1000, 100, (1, 100)),
    ],
)
def test_fit(height: int, width: int, side: int, expected: tuple[int, int]) -> None:
    assert fit(torch.empty(1, 3, height, width), side) == expected


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 8192))
def test_fit_gives_the_longer_side_and_keeps_the_aspect(height: int, width: int, side: int) -> None:
    fitted = fit(torch.empty(height, width), side)

    assert max(fitted) == side
    assert min(fitted) >= 1
    assert min(fitted) == pytest.approx(side * min(height, width) / max(height, width), abs=1)


def test_resize_keeps_flat_pictures_flat_and_values_in_range() -> None:
    flat = torch.full((1, 3, 7, 9), 0.25)
    checkers = (torch.arange(81).view(1, 1, 9, 9) % 2).float().expand(1, 3, 9, 9)

    for size in ((20, 31), (3, 2), (1, 1)):
        assert torch.allclose(resize(flat, *size), torch.full((1, 3, *size), 0.25))
        resized = resize(checkers, *size)
        assert resized.shape == (1, 3, *size)
        assert 0 <= float(resized.min()) <= float(resized.max()) <= 1


def test_resize_is_antialiased() -> None:
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1

    assert torch.allclose(resize(stripes, 16, 16)[..., 2:-2], torch.tensor(0.5), atol=0.02)


def test_resize_to_the_same_size_changes_nothing() -> None:
    picture = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(4))

    assert torch.equal(resize(picture, 5, 6), picture)


def test_scale_sides() -> None:
    assert scale_sides(512, 128) == [128, 181, 256, 362, 512]
    assert scale_sides(512, 129) == [181, 256, 362, 512]
    assert scale_sides(512, None) == [512]
    assert scale_sides(60, 128) == [60]


@given(st.integers(1, 8192), st.integers(8, 300))
def test_scale_sides_grow_to_the_long_side(side: int, coarsest: int) -> None:
    sides = scale_sides(side, coarsest)

    assert sides[-1] == side
    assert sides == sorted(set(sides))
    assert sides[0] < coarsest * 1.5 or len(sides) == 1
    assert all(each >= coarsest for each in sides[:-1])


@given(st.integers(1, 1000), st.integers(1, 8))
def test_all_steps_are_shared_out(steps: int, scales: int) -> None:
    shares = share_steps(steps, scales)

    assert len(shares) == scales
    assert sum(shares) == steps
    assert min(shares) >= 0
    assert shares[-1] >= 1


@pytest.mark.parametrize(("height", "width"), [(4, 9), (9, 4), (4, 4)])
def test_the_square_in_the_middle(height: int, width: int) -> None:
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    top, left = (height - 4) // 2, (width - 4) // 2

    assert torch.equal(center_crop(picture, 4), picture[..., top : top + 4, left : left + 4])
    assert center_crop(picture, 7).shape == (1, 3, 7, 7)
