import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.kinds.style_transfer import PRESETS, PresetName, ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.total_variation import squared_variation, total_variation
from worker.synthesis.style_transfer import style_transfer_loss, weighted_layers

CONTENT = {"relu2": 0.5, "relu3": 2.0}
STYLE = {"relu1": 1.0, "conv3": 3.0}


def gram(features: Tensor) -> Tensor:
    rows = features[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


def params(**values: object) -> ResolvedStyleTransfer:
    return StyleTransferParams.model_validate({"content": "c", "style": ["s"], **values}).resolve(SHIPPED)


@pytest.mark.parametrize("preset", ["impasto", "gatys-2016", "neural-style"])
def test_the_losses_are_those_restated(
    exact_network: Network, monkeypatch: pytest.MonkeyPatch, preset: PresetName
) -> None:
    content, styles, picture = rand(13, 18, 1), [rand(20, 11, 2), rand(9, 16, 3)], rand(13, 18, 4)
    unpadded = PRESETS[preset].model_copy(update={"margin": 0})
    monkeypatch.setitem(PRESETS, preset, unpadded)
    asked = params(
        preset=preset,
        style=["s", "t"],
        style_weights=[3.0, 1.0],
        content_weight=2.0,
        style_weight=0.5,
        tv_weight=0.7,
    ).model_copy(update={"content_layers": CONTENT, "style_layers": STYLE})

    found = style_transfer_loss(asked, exact_network, content, styles)(picture)

    layers = [*CONTENT, *STYLE]
    seen, wanted = exact_network.features(picture, layers), exact_network.features(content, layers)
    first, second = (exact_network.features(style, layers) for style in styles)
    expected = {}
    for name, weight in CONTENT.items():
        f, p = seen[name], wanted[name]
        expected[f"content.{name}"] = (
            2.0
            * weight
            * {
                "impasto": ((f - p) ** 2).sum() / (p**2).sum(),
                "gatys-2016": ((100 * f - 100 * p) ** 2).sum() / 2,
                "neural-style": F.mse_loss(100 * f, 100 * p),
            }[preset]
        )
    for name, weight in STYLE.items():
        g, a = gram(seen[name]), 0.75 * gram(first[name]) + 0.25 * gram(second[name])
        n = len(g)
        expected[f"style.{name}"] = (
            0.5
            * weight
            * {
                "impasto": ((g - a) ** 2).sum() / (a**2).sum(),
                "gatys-2016": ((1e4 * g - 1e4 * a) ** 2).sum() / (4 * n**2),
                "neural-style": F.mse_loss(1e4 * g / n, 1e4 * a / n),
            }[preset]
        )
    total_squares = 255**2 * squared_variation(picture)
    expected["tv"] = 0.7 * (total_variation(picture) if preset == "impasto" else total_squares)

    assert found.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found.terms[name]) == pytest.approx(float(value), rel=1e-9), name
    assert float(found.total) == pytest.approx(float(sum(expected.values())))


def test_what_has_no_weight_is_left_out(network: Network) -> None:
    asked = params(
        content_layers={"relu3_1": 2.0, "relu4_1": 0.0},
        content_weight=5.0,
        style_layers=["relu1_1"],
        style_weight=0.0,
        tv_weight=0.25,
    )
    assert weighted_layers(asked) == ({"relu3_1": 2.0}, {})

    tiny = asked.model_copy(update={"content_layers": {"relu3": 2.0, "relu1": 0.0}, "style_layers": STYLE})
    objective = style_transfer_loss(tiny, network, torch.rand(1, 3, 16, 16), [torch.rand(1, 3, 8, 8)])

    assert [loss.name for loss in objective.losses] == ["content.relu3", "tv"]
    # Relative losses of features of 0 are their weights.
    assert objective.magnitude == pytest.approx(10.0)
