import pytest
import torch
from torch import Tensor

from worker.losses.gram import gram_matrix, gram_sum


def features(
    channels: int = 3, height: int = 4, width: int = 5, dtype: torch.dtype = torch.float64
) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64).to(dtype)


def test_gram_of_two_channels_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])

    assert gram_sum(maps).tolist() == [[5.0, 1.0], [1.0, 10.0]]
    assert gram_matrix(maps).tolist() == [[2.5, 0.5], [0.5, 5.0]]


def test_gram_is_the_mean_over_positions_of_outer_products() -> None:
    maps = features()

    positions = [maps[0, :, y, x] for y in range(4) for x in range(5)]
    restated = torch.stack([torch.outer(v, v) for v in positions]).mean(0)

    assert torch.allclose(gram_matrix(maps), restated, rtol=1e-12)


def test_gram_does_not_depend_on_the_memory_format() -> None:
    maps = features(8, 6, 7)

    assert torch.allclose(gram_matrix(maps.to(memory_format=torch.channels_last)), gram_matrix(maps))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_gram_sum(memory_format: torch.memory_format) -> None:
    maps = features().to(memory_format=memory_format).requires_grad_()

    assert torch.autograd.gradcheck(gram_sum, maps)
    # A gradient that is not symmetric, which no symmetric loss would show.
    weights = torch.arange(9.0, dtype=torch.float64).view(3, 3)
    assert torch.autograd.gradcheck(lambda f: (gram_sum(f) * weights).sum(), maps)


def test_bfloat16_features_are_summed_in_float32() -> None:
    # In bfloat16 the sum of ones stops at 256.
    maps = torch.ones(1, 2, 100, 100, dtype=torch.bfloat16)

    gram = gram_sum(maps)

    assert gram.dtype == torch.float32
    assert gram.tolist() == [[10_000.0, 10_000.0], [10_000.0, 10_000.0]]


def test_gradient_of_bfloat16_features_is_near_that_of_float64() -> None:
    exact = features(16, 20, 20).requires_grad_()
    rough = exact.detach().bfloat16().requires_grad_()

    (fine,) = torch.autograd.grad(gram_matrix(exact).square().sum(), exact)
    (coarse,) = torch.autograd.grad(gram_matrix(rough).square().sum(), rough)

    assert coarse.dtype == torch.bfloat16
    assert (coarse.double() - fine).norm() < 0.01 * fine.norm()


def test_a_batch_has_no_one_gram_matrix() -> None:
    with pytest.raises(ValueError, match="1, C, H, W"):
        gram_matrix(torch.zeros(2, 3, 4, 4))
