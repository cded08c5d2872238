import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from worker.optim import color
from worker.optim.color import (
    from_oklab,
    grey,
    in_bands,
    in_bands_with_neighbors,
    luma,
    moments,
    to_oklab,
    with_chroma_of,
    with_grey_like,
)

channels = st.tuples(*[st.floats(0, 1, width=32)] * 3)


def pixel(rgb: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1)


def picture(seed: int, height: int = 20, width: int = 20) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_luma_by_hand() -> None:
    assert torch.allclose(luma(pixel((1.0, 0.5, 0.0))), torch.tensor(0.299 + 0.2935))


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # Of the CSS Color Module Level 4, and by Ottosson's own code.
        ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.62796, 0.22486, 0.12585)),
        ((0.0, 1.0, 0.0), (0.86644, -0.23389, 0.17950)),
        ((0.0, 0.0, 1.0), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_known_colors(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert torch.allclose(to_oklab(pixel(rgb)), pixel(lab), atol=2e-5)
    assert torch.allclose(from_oklab(pixel(lab)), pixel(rgb), atol=2e-3)


@given(channels)
def test_oklab_and_back(rgb: tuple[float, ...]) -> None:
    assert torch.allclose(from_oklab(to_oklab(pixel(rgb))), pixel(rgb), atol=2e-4)


@pytest.mark.medium
@given(channels, channels)
def test_lightness_is_kept_and_chroma_keeps_its_direction(
    ours: tuple[float, ...], theirs: tuple[float, ...]
) -> None:
    mixed = with_chroma_of(pixel(ours), pixel(theirs))

    assert 0 <= float(mixed.min()) <= float(mixed.max()) <= 1
    lab, light, wanted = (to_oklab(each).flatten() for each in (mixed, pixel(ours), pixel(theirs)))
    # Near black a hundredth of a level of 8 bits is much lightness.
    assert max(float(lab[0]), 0.03) == pytest.approx(max(float(light[0]), 0.03), abs=2e-3)
    cross = lab[1] * wanted[2] - lab[2] * wanted[1]
    assert float(cross) == pytest.approx(0, abs=1e-3)
    assert float(lab[1:] @ wanted[1:]) >= -1e-4
    assert float(lab[1:].norm()) <= float(wanted[1:].norm()) + 2e-3


def test_a_picture_with_its_own_chroma_is_itself() -> None:
    assert torch.allclose(with_chroma_of(picture(5), picture(5)), picture(5), atol=2e-4)


def test_grey_colors_give_a_grey_picture() -> None:
    mixed = with_chroma_of(picture(6), torch.full_like(picture(6), 0.4))

    assert torch.allclose(mixed, grey(picture(6)), atol=1e-4)


def test_grey_has_equal_channels_of_the_same_lightness() -> None:
    made = grey(picture(7))

    assert float((made - made.mean(1, keepdim=True)).abs().max()) < 1e-5
    assert torch.allclose(to_oklab(made)[:, 0], to_oklab(picture(7))[:, 0], atol=1e-4)


def test_lightness_gets_mean_and_deviation_of_another() -> None:
    narrow, other = 0.4 + 0.1 * picture(8), 0.3 + 0.5 * picture(9, 31, 17)

    made = with_grey_like(narrow, other)

    ours, theirs = (to_oklab(each)[:, 0] for each in (made, other))
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=5e-3)
    assert float(ours.std()) == pytest.approx(float(theirs.std()), abs=1e-2)
    assert float((made - made.mean(1, keepdim=True)).abs().max()) < 1e-5


def test_a_flat_picture_has_no_lightness_to_stretch() -> None:
    made = with_grey_like(torch.full((1, 3, 4, 4), 0.2), picture(10))

    assert float(made.std()) < 1e-5


@pytest.mark.parametrize("wrap", [True, False])
def test_bands_have_their_neighbors(monkeypatch: pytest.MonkeyPatch, wrap: bool) -> None:
    whole = picture(11, 37, 20)

    def above_and_below(band: Tensor) -> Tensor:
        return band[..., :-2, :] - band[..., 2:, :]

    expected = in_bands_with_neighbors(above_and_below, whole, wrap=wrap)
    monkeypatch.setattr(color, "_BAND", 100)

    assert torch.equal(in_bands_with_neighbors(above_and_below, whole, wrap=wrap), expected)
    assert torch.equal(expected[..., 1:-1, :], whole[..., :-2, :] - whole[..., 2:, :])
    first = whole[..., -1:, :] if wrap else whole[..., :1, :]
    assert torch.equal(expected[..., :1, :], first - whole[..., 1:2, :])


def test_bands_and_moments_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = picture(11, 37, 20)
    mean, covariance = moments(whole, to_oklab)
    greyed = grey(whole)

    monkeypatch.setattr(color, "_BAND", 100)

    values = to_oklab(whole).flatten(2)[0].double()
    assert torch.allclose(mean, values.mean(1))
    assert torch.allclose(covariance, torch.cov(values, correction=0), atol=1e-9)
    for found, wanted in zip(moments(whole, to_oklab), (mean, covariance), strict=True):
        assert torch.allclose(found, wanted, atol=1e-9)
    assert torch.allclose(in_bands(lambda band: band, whole), whole)
    assert torch.allclose(grey(whole), greyed, atol=1e-6)
