import torch
from hypothesis import given
from hypothesis import strategies as st

from worker.optim.color import luma, with_chroma_of

channels = st.tuples(*[st.floats(0, 1, width=32)] * 3)


def pixel(rgb: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1)


def test_luma_by_hand() -> None:
    assert torch.allclose(luma(pixel((1.0, 0.5, 0.0))), torch.tensor(0.299 + 0.2935))


def test_a_picture_with_its_own_chroma_is_itself() -> None:
    picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(5))

    assert torch.allclose(with_chroma_of(picture, picture), picture, atol=1e-5)


def test_grey_colors_give_a_grey_picture() -> None:
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(6))

    grey = with_chroma_of(picture, torch.full_like(picture, 0.4))

    assert torch.allclose(grey, luma(picture).expand(1, 3, 8, 8), atol=1e-6)


@given(channels, channels)
def test_luma_is_kept_and_chroma_keeps_its_direction(
    ours: tuple[float, ...], theirs: tuple[float, ...]
) -> None:
    picture, colors = pixel(ours), pixel(theirs)

    mixed = with_chroma_of(picture, colors)

    assert 0 <= float(mixed.min()) <= float(mixed.max()) <= 1
    assert torch.allclose(luma(mixed), luma(picture), atol=1e-5)
    found, wanted = (mixed - luma(mixed)).flatten(), (colors - luma(colors)).flatten()
    # Parallel, and no longer than what was wanted.
    assert torch.allclose(torch.linalg.cross(found, wanted), torch.zeros(3), atol=1e-5)
    assert float(found @ wanted) >= -1e-6
    assert float(found.norm()) <= float(wanted.norm()) + 1e-5
