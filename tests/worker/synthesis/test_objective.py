import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network, Pooling
from models.registry import load_network
from worker.optim.losses import Reduction
from worker.optim.total_variation import squared_variation, total_variation
from worker.synthesis.objective import StyleObjective, Weights

CONTENT = {"relu2": 0.5, "relu3": 2.0}
STYLE = {"relu1": 1.0, "conv3": 3.0}


def rand(height: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64).to(dtype)


def gram(features: Tensor) -> Tensor:
    rows = features[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


@pytest.mark.parametrize("reduction", ["mean", "gatys-2016", "neural-style"])
def test_the_losses_are_those_restated(exact_network: Network, reduction: Reduction) -> None:
    content, styles, picture = rand(13, 18, 1), [rand(20, 11, 2), rand(9, 16, 3)], rand(13, 18, 4)
    weights = Weights(CONTENT, STYLE, 0.7, reduction)

    found = StyleObjective(exact_network, content, styles, [3.0, 1.0], weights)(picture)

    layers = [*CONTENT, *STYLE]
    seen, wanted = exact_network.features(picture, layers), exact_network.features(content, layers)
    first, second = (exact_network.features(style, layers) for style in styles)
    expected = {}
    for name, weight in CONTENT.items():
        f, p = seen[name], wanted[name]
        expected[f"content.{name}"] = (
            weight
            * {
                "mean": ((f - p) ** 2).sum() / (p**2).sum(),
                "gatys-2016": ((100 * f - 100 * p) ** 2).sum() / 2,
                "neural-style": F.mse_loss(100 * f, 100 * p),
            }[reduction]
        )
    for name, weight in STYLE.items():
        g, a = gram(seen[name]), 0.75 * gram(first[name]) + 0.25 * gram(second[name])
        n = len(g)
        expected[f"style.{name}"] = (
            weight
            * {
                "mean": ((g - a) ** 2).sum() / (a**2).sum(),
                "gatys-2016": ((1e4 * g - 1e4 * a) ** 2).sum() / (4 * n**2),
                "neural-style": F.mse_loss(1e4 * g / n, 1e4 * a / n),
            }[reduction]
        )
    total_squares = 255**2 * squared_variation(picture)
    expected["tv"] = 0.7 * (total_variation(picture) if reduction == "mean" else total_squares)

    assert found.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found.terms[name]) == pytest.approx(float(value), rel=1e-9), name
    assert float(found.total) == pytest.approx(float(sum(expected.values())))


@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("budget", [1 << 30, 20_000])
def test_the_gradient_is_that_of_the_losses(exact_network: Network, margin: int, budget: int) -> None:
    weights = Weights(CONTENT, STYLE, 0.2, "mean", margin)
    objective = StyleObjective(exact_network, rand(21, 18, 5), [rand(12, 9, 6)], [1.0], weights, budget)
    picture = rand(21, 18, 7)

    class Total(torch.autograd.Function):
        @staticmethod
        def forward(ctx, picture):  # type: ignore[no-untyped-def]
            with torch.enable_grad():
                evaluation = objective(picture)
            ctx.save_for_backward(evaluation.gradient)
            return evaluation.total

        @staticmethod
        def backward(ctx, along):  # type: ignore[no-untyped-def]
            return along * ctx.saved_tensors[0]

    assert (len(objective.tiling.tiles) > 1) == (budget == 20_000)
    assert torch.autograd.gradcheck(Total.apply, picture.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("margin", [0, 4, 12])
@pytest.mark.parametrize(("height", "width"), [(61, 83), (40, 96), (97, 33)])
@pytest.mark.parametrize("reduction", ["mean", "neural-style"])
def test_tiles_change_nothing(
    exact_network: Network, margin: int, height: int, width: int, reduction: Reduction
) -> None:
    weights = Weights(CONTENT, STYLE, 0.2, reduction, margin)
    content, style, picture = rand(height, width, 8), rand(width, height, 9), rand(height, width, 10)

    whole = StyleObjective(exact_network, content, [style], [1.0], weights)
    tiled = StyleObjective(exact_network, content, [style], [1.0], weights, budget=400_000)
    expected, found = whole(picture), tiled(picture)

    assert len(whole.tiling.tiles) == 1
    assert len(tiled.tiling.tiles) >= 3
    for name, term in expected.terms.items():
        assert float(found.terms[name]) == pytest.approx(float(term), rel=1e-10), name
    assert (found.gradient - expected.gradient).norm() < 1e-10 * expected.gradient.norm()


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_tiles_of_a_vgg_change_nothing(pooling: Pooling) -> None:
    network = load_network("vgg19-random", pooling).prepared(torch.device("cpu"), torch.float64)
    layers = {"relu1_1": 1.0, "relu3_1": 1.0}
    weights = Weights({"relu4_1": 1.0}, layers, 0.1, "mean", margin=16)
    content, style, picture = rand(75, 90, 1), rand(40, 61, 2), rand(75, 90, 3)

    whole = StyleObjective(network, content, [style], [1.0], weights)
    tiled = StyleObjective(network, content, [style], [1.0], weights, budget=30_000_000)
    expected, found = whole(picture), tiled(picture)

    assert len(tiled.tiling.tiles) >= 4
    assert float(found.total) == pytest.approx(float(expected.total), rel=1e-12)
    assert (found.gradient - expected.gradient).norm() < 1e-12 * expected.gradient.norm()


def test_a_network_off_the_grid_sees_the_picture_as_it_is() -> None:
    stack = nn.ModuleDict(
        {"conv1": nn.Conv2d(3, 4, 5, stride=2), "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(3, 2)}
    )
    network = Network("off", stack, mean=(0.5,) * 3, std=(0.2,) * 3, source="a test")
    layers = {"relu1": 1.0, "pool1": 1.0}
    pictures = [rand(31, 42, seed, torch.float32) for seed in (1, 2, 3)]

    whole = StyleObjective(network, pictures[0], [pictures[1]], [1.0], Weights(layers, layers, 0.1, "mean"))
    asked = Weights(layers, layers, 0.1, "mean", margin=8)
    framed = StyleObjective(network, pictures[0], [pictures[1]], [1.0], asked, budget=1000)

    assert torch.equal(framed(pictures[2]).gradient, whole(pictures[2]).gradient)


def test_a_style_of_itself_costs_nothing(network: Network, style: Tensor) -> None:
    weights = Weights({}, STYLE, 0.0, "mean")

    evaluation = StyleObjective(network, style, [style, style], [0.2, 0.8], weights)(style)

    assert float(evaluation.total) == pytest.approx(0, abs=1e-10)
    assert evaluation.terms.keys() == {"style.relu1", "style.conv3"}


def test_bfloat16_is_near_float32(
    network: Network, rough_network: Network, content: Tensor, style: Tensor
) -> None:
    weights, picture = Weights(CONTENT, STYLE, 0.1, "mean", 4), rand(45, 60, 11, torch.float32)

    fine = StyleObjective(network, content, [style], [1.0], weights)(picture)
    rough = StyleObjective(rough_network, content, [style], [1.0], weights)(picture)

    assert rough.gradient.dtype == torch.float32
    assert float(rough.total) == pytest.approx(float(fine.total), rel=0.01)
    assert (rough.gradient - fine.gradient).norm() < 0.05 * fine.gradient.norm()


@pytest.mark.parametrize("reduction", ["mean", "gatys-2016", "neural-style"])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_pictures_give_finite_gradients(network: Network, reduction: Reduction, level: float) -> None:
    flat, weights = torch.full((1, 3, 16, 16), level), Weights(CONTENT, STYLE, 0.1, reduction, 4)

    evaluation = StyleObjective(network, flat, [flat], [1.0], weights)(flat)

    assert torch.isfinite(evaluation.total)
    assert torch.isfinite(evaluation.gradient).all()


def params(**values: object) -> StyleTransferParams:
    return StyleTransferParams.model_validate({"content": "c", "style": ["s"], **values}).resolve(SHIPPED)


def test_weights_multiply_and_leave_out_what_is_zero() -> None:
    weights = Weights.of(
        params(
            content_layers={"relu3_1": 2.0, "relu4_1": 0.0},
            content_weight=5.0,
            style_layers=["relu1_1"],
            style_weight=0.0,
            tv_weight=0.25,
        )
    )

    assert weights.content == {"relu3_1": 10.0}
    assert weights.style == {}
    assert weights.variation == 0.25
    assert weights.layers == ["relu3_1"]


def test_no_weight_at_all_is_an_error_of_the_layers() -> None:
    with pytest.raises(InputError) as caught:
        Weights.of(params(content_weight=0.0, style_layers={"relu1_1": 0.0}))

    assert caught.value.field == "style_layers"
