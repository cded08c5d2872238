import pytest
import torch
from torch import Tensor

from tests.support.peak_memory import PeakMemory
from worker.losses import distance
from worker.losses.content import content_factor
from worker.losses.distance import (
    Variant,
    caffe_activation,
    distance_sums,
    energy,
    scaled_distance,
    squared_distance,
)
from worker.losses.gram import gram_factor
from worker.losses.total_variation import TotalVariation

VARIANTS: list[Variant] = ["relative", "gatys-2016", "neural-style"]


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_squared_distance_by_hand() -> None:
    assert squared_distance(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 4.0])) == 5


def test_squared_distance_of_bfloat16_is_summed_in_float32() -> None:
    ones, zeros = torch.ones(1000, dtype=torch.bfloat16), torch.zeros(1000, dtype=torch.bfloat16)

    assert squared_distance(ones, zeros) == 1000


def test_scaled_distance_by_hand() -> None:
    found = torch.tensor([1.0, 5.0, 4.0], requires_grad=True)

    distance = scaled_distance(distance_sums(found, torch.tensor([3.0, 3.0, 6.0])))

    assert distance.item() == 12 / 6
    (gradient,) = torch.autograd.grad(distance, found)
    assert float(gradient.abs().sum()) == pytest.approx(1)
    same = scaled_distance(distance_sums(found, found.detach()))
    assert same.item() == 0 and torch.autograd.grad(same, found)[0].tolist() == [0, 0, 0]


def test_a_variant_without_a_formula_is_refused() -> None:
    with pytest.raises(ValueError, match="crowson-2023"):
        gram_factor(torch.eye(2), "crowson-2023", 1.0)
    with pytest.raises(ValueError, match="crowson-2021"):
        content_factor(torch.eye(2), "crowson-2021", 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_sums_of_squares_are_as_precise_as_float32(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    monkeypatch.setattr(distance, "CHUNK", 50_000)
    found, target = (
        randn(1, 32, 70, 90).add(shift).to(dtype, memory_format=layout)[..., 3:68, 5:80] for shift in (0.5, 1)
    )

    exact, difference = found.double(), found.double() - target.double()
    assert float(energy(found)) == pytest.approx(float(exact.square().sum()), rel=1e-6)
    assert float(squared_distance(found, target)) == pytest.approx(float(difference.square().sum()), rel=1e-6)

    (gradient,) = torch.autograd.grad(3 * squared_distance(found.requires_grad_(), target), found)
    assert gradient.dtype == dtype
    error = (gradient.double() - 6 * difference).abs().max()
    assert error <= torch.finfo(dtype).eps * 6 * difference.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_of_squares_take_a_fraction_of_their_target(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(distance, "CHUNK", 1 << 14)
    target, found = torch.ones(2, 1, 16, 256, 256, dtype=dtype).unbind()
    found = found.requires_grad_()
    with PeakMemory() as memory:
        energy(target)
        total = squared_distance(found, target)
    assert memory.peak < target.nbytes / 4
    with PeakMemory() as memory:
        torch.autograd.grad(total, found)
    assert target.nbytes <= memory.peak < 1.5 * target.nbytes


def test_content_loss_by_hand() -> None:
    target, found = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[2.0, 1.0]]]])
    squares = squared_distance(found, target)

    assert squares == 5
    assert squares * content_factor(target, "relative", 100.0) == pytest.approx(0.5)
    assert squares * content_factor(target, "gatys-2016", 100.0) == pytest.approx(25_000)
    assert squares * content_factor(target, "neural-style", 100.0) == pytest.approx(25_000)


def test_style_loss_by_hand() -> None:
    target, found = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    squares = squared_distance(found, target)

    assert squares == 3
    assert squares * gram_factor(target, "relative", 100.0) == pytest.approx(0.6)
    assert squares * gram_factor(target, "gatys-2016", 100.0) == pytest.approx(3e8 / 16)
    assert squares * gram_factor(target, "neural-style", 100.0) == pytest.approx(3 * 50**4)


def test_gatys_losses_are_equations_1_and_4_of_the_paper() -> None:
    found, content, style = randn(1, 3, 4, 5), randn(1, 3, 4, 5) * 2, randn(1, 3, 4, 5) * 3
    channels, positions = 3, 20
    f, p, s = (100 * x[0].reshape(channels, positions) for x in (found, content, style))

    content_loss = sum((f[i, j] - p[i, j]) ** 2 for i in range(channels) for j in range(positions)) / 2
    gram, target = f @ f.T, s @ s.T
    style_loss = sum((gram[i, j] - target[i, j]) ** 2 for i in range(channels) for j in range(channels)) / (
        4 * channels**2 * positions**2
    )

    mean_gram, mean_target = gram / positions / 1e4, target / positions / 1e4
    ours = squared_distance(mean_gram, mean_target) * gram_factor(mean_target, "gatys-2016", 100.0)
    assert squared_distance(found, content) * content_factor(content, "gatys-2016", 100.0) == pytest.approx(
        content_loss
    )
    assert float(ours) == pytest.approx(float(style_loss))


def test_neural_style_losses_are_mean_squared_errors_of_caffe_sized_activations() -> None:
    found, content, style = randn(1, 3, 4, 5), randn(1, 3, 4, 5) * 2, randn(1, 3, 6, 7) * 3
    mse = torch.nn.functional.mse_loss

    def gram(features: Tensor) -> Tensor:
        rows = 100 * features[0].flatten(1)
        return rows @ rows.T / rows.numel()

    ours, target = (x[0].flatten(1) @ x[0].flatten(1).T / x[0, 0].numel() for x in (found, style))
    assert float(
        squared_distance(found, content) * content_factor(content, "neural-style", 100.0)
    ) == pytest.approx(float(mse(100 * found, 100 * content)))
    assert float(
        squared_distance(ours, target) * gram_factor(target, "neural-style", 100.0)
    ) == pytest.approx(float(mse(gram(found), gram(style))))


def test_relative_losses_do_not_depend_on_scale_or_size() -> None:
    found, target = randn(1, 3, 4, 5), randn(1, 3, 4, 5) + 1
    loss = squared_distance(found, target) * content_factor(target, "relative", 100.0)

    tiled = squared_distance(found.repeat(1, 1, 3, 2), target.repeat(1, 1, 3, 2))
    assert float(tiled * content_factor(target.repeat(1, 1, 3, 2), "relative", 100.0)) == pytest.approx(
        float(loss)
    )
    scaled = squared_distance(7 * found, 7 * target) * content_factor(7 * target, "relative", 100.0)
    assert float(scaled) == pytest.approx(float(loss))


def test_targets_without_energy_give_finite_losses() -> None:
    nothing = torch.zeros(1, 2, 3, 3)

    assert torch.isfinite(squared_distance(nothing + 1, nothing) * content_factor(nothing, "relative", 100.0))
    assert squared_distance(nothing, nothing) * content_factor(nothing, "relative", 100.0) == 0
    assert torch.isfinite(gram_factor(torch.zeros(2, 2), "relative", 100.0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients(variant: Variant) -> None:
    target, gram = randn(1, 2, 3, 4), randn(3, 3)
    maps = (randn(1, 2, 3, 4) + 0.3).requires_grad_()
    matrix = (randn(3, 3) - 0.2).requires_grad_()
    picture = randn(1, 3, 4, 5).requires_grad_()

    assert torch.autograd.gradcheck(
        lambda f: squared_distance(f, target) * content_factor(target, variant, 100.0), maps
    )
    assert torch.autograd.gradcheck(
        lambda g: squared_distance(g, gram) * gram_factor(gram, variant, 100.0), matrix
    )
    assert torch.autograd.gradcheck(TotalVariation(1.0, variant).value, picture)


def test_layers_are_balanced_as_in_the_first_step_of_neural_style() -> None:
    """INSTALL.md of neural-style, "Iteration 1": style losses of a picture that is still grey.

    Those of a network of mean activations 1 are factor * sum(A**2), and sum(A**2) is N**2 but for a number
    that depends on the picture.
    """
    printed = {
        "relu1_1": 30021.3,
        "relu2_1": 700349.6,
        "relu3_1": 153033.2,
        "relu4_1": 12404635,
        "relu5_1": 656.9,
    }
    channels = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu5_1": 512}
    ours = {}
    for layer, n in channels.items():
        factor = gram_factor(torch.zeros(n, n), "neural-style", caffe_activation("vgg19", layer))
        ours[layer] = 100 * float(factor) * n**2
    for layer, loss in printed.items():
        assert 0.5 < (ours[layer] / ours["relu2_1"]) ** 0.25 / (loss / printed["relu2_1"]) ** 0.25 < 2, layer


def test_only_vgg19_has_the_balance_of_the_caffe_network() -> None:
    target = torch.ones(1, 1, 1, 1)

    assert content_factor(target, "neural-style", caffe_activation("vgg19", "relu1_1")) == 22**2
    assert gram_factor(target[0, 0], "neural-style", caffe_activation("vgg19", "relu3_4")) == 488**4
    assert caffe_activation("vgg19", "relu5_4") == caffe_activation("palette", "relu1_1") == 100
