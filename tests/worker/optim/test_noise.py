import pytest
import torch

from worker.optim.noise import noise_picture


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
