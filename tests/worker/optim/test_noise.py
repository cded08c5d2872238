import pytest
import torch

from tests.support.peak_memory import PeakMemory
from worker.optim.randomness import noise_like, noise_picture


def test_noise_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = noise_picture(20, 30, 7, 0.1)
    torch.manual_seed(2)

    assert torch.equal(noise_picture(20, 30, 7, 0.1), first)
    assert not torch.equal(noise_picture(20, 30, 8, 0.1), first)


def test_noise_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()

    noise_picture(4, 4, 0, 0.1)

    assert torch.equal(torch.get_rng_state(), before)


def test_noise_is_about_mid_grey() -> None:
    noise = noise_picture(100, 100, 0, 0.1)

    assert noise.shape == (1, 3, 100, 100)
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.1, rel=0.02)
    assert 0 <= float(noise.min()) <= float(noise.max()) <= 1


def texture() -> torch.Tensor:
    """Colors that go together: where there is red there is some green, and blue is another matter."""
    generator = torch.Generator().manual_seed(1)
    red, blue = 0.05 * torch.randn(2, 80, 70, generator=generator)
    return torch.stack([0.6 + red, 0.4 + 0.5 * red, 0.5 + blue]).unsqueeze(0)


def test_noise_has_the_colors_of_a_picture() -> None:
    noise = noise_like(texture(), 120, 90, 3)

    assert noise.shape == (1, 3, 120, 90)
    wanted, found = (each[0].flatten(1) for each in (texture(), noise))
    assert torch.allclose(found.mean(1), wanted.mean(1), atol=0.002)
    assert torch.allclose(found.cov(), wanted.cov(), atol=1e-4)
    # Pixels know nothing of their neighbours.
    apart = noise - noise.mean((2, 3), keepdim=True)
    assert abs(float((apart[..., 1:] * apart[..., :-1]).mean() / apart.square().mean())) < 0.03


def test_noise_of_colors_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = noise_like(texture(), 20, 30, 7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)

    assert torch.equal(noise_like(texture(), 20, 30, 7), first)
    assert not torch.equal(noise_like(texture(), 20, 30, 8), first)


def test_noise_of_one_color_is_flat() -> None:
    flat = torch.tensor([0.2, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 5)

    noise = noise_like(flat, 8, 8, 0)

    assert torch.allclose(noise, flat[..., :1, :1].expand(1, 3, 8, 8), atol=1e-6)
    assert torch.isfinite(noise_like(flat[..., :1, :1], 8, 8, 0)).all()


def pictures() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    drawn = torch.rand(1, 3, 211, 307, generator=generator)
    return {
        "drawn": drawn,
        "texture": texture(),
        "grey": drawn[:, :1].expand(1, 3, 211, 307),
        "nearly grey": drawn[:, :1].expand(1, 3, 211, 307) + 1e-4 * drawn,
        "turned": drawn.transpose(2, 3),
        "channels last": drawn.contiguous(memory_format=torch.channels_last),
        "one column": drawn[..., :1],
        "one pixel": drawn[..., :1, :1],
    }


@pytest.mark.parametrize("name", pictures())
def test_noise_is_that_of_the_covariance_bit_for_bit(name: str) -> None:
    picture = pictures()[name]
    pixels = picture.double()[0].flatten(1)
    variances, axes = torch.linalg.eigh(torch.cov(pixels, correction=0))
    root = (axes * variances.clamp_min(0).sqrt()).float()
    drawn = root @ torch.randn(3, 40 * 30, generator=torch.Generator().manual_seed(5))
    expected = (pixels.mean(1, keepdim=True).float() + drawn).view(1, 3, 40, 30).clamp(0, 1)

    before = picture.clone()
    assert torch.equal(noise_like(picture, 40, 30, 5), expected)
    assert torch.equal(picture, before)


def test_noise_of_a_large_picture_takes_one_copy_of_it_in_float64() -> None:
    picture = torch.rand(1, 3, 300, 400)

    with PeakMemory() as memory:
        noise_like(picture, 20, 30, 7)

    assert memory.peak < 2.1 * picture.nbytes
