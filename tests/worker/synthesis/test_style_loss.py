from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.style_presets import LARGEST_VIEWED, PRESETS, ContentLossName, PresetName, StyleLossName
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.choices import CONTENT_LOSSES, STYLE_LOSSES
from worker.losses.loss_sum import LossSum
from worker.losses.sources import Styles
from worker.losses.total_variation import nine_point_variation, squared_variation, total_variation
from worker.losses.view_sum import ViewSum
from worker.synthesis.style_transfer import style_transfer_loss, weighted_layers

CONTENT = {"relu2": 0.5, "relu3": 2.0}
STYLE = {"relu1": 1.0, "conv3": 3.0}


def gram(features: Tensor) -> Tensor:
    rows = features[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


def mean(features: Tensor) -> Tensor:
    return features.mean((0, 2, 3))


def wasserstein(covariance: Tensor, other: Tensor, difference: Tensor) -> Tensor:
    """The squared distance of Gaussians, as crowson has it."""
    least = 1e-4 * torch.eye(len(other), dtype=other.dtype)
    one, two = covariance + least, other + least
    root = torch.linalg.eigvals(one @ two).real.sqrt().sum()
    return difference.square().sum() + one.trace() + two.trace() - 2 * root


def params(**values: object) -> ResolvedStyleTransfer:
    usual: dict[str, object] = {"content": "c", "style": ["s"], "views": ["picture"]}
    return StyleTransferParams.model_validate({**usual, **values}).resolve(SHIPPED)


@pytest.mark.parametrize(
    "preset", [name for name, preset in PRESETS.items() if preset.content_loss == "features"]
)
def test_the_losses_are_those_restated(
    exact_network: Network, monkeypatch: pytest.MonkeyPatch, preset: PresetName
) -> None:
    content, styles, picture = rand(13, 18, 1), [rand(20, 11, 2), rand(9, 16, 3)], rand(13, 18, 4)
    unpadded = PRESETS[preset].model_copy(update={"margin": 0})
    variant = unpadded.variant
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
                "relative": ((f - p) ** 2).sum() / (p**2).sum(),
                "gatys-2016": ((100 * f - 100 * p) ** 2).sum() / 2,
                "neural-style": F.mse_loss(100 * f, 100 * p),
                "crowson-2021": ((f - p) ** 2).sum() / ((f - p).abs().sum() + 1e-8),
                "crowson-2023": F.mse_loss(f, p),
            }[variant]
        )
    for name, weight in STYLE.items():
        g, a = gram(seen[name]), 0.75 * gram(first[name]) + 0.25 * gram(second[name])
        n = len(g)
        m, b = mean(seen[name]), 0.75 * mean(first[name]) + 0.25 * mean(second[name])
        expected[f"style.{name}"] = (
            0.5
            * weight
            * {
                "relative": ((g - a) ** 2).sum() / (a**2).sum(),
                "gatys-2016": ((1e4 * g - 1e4 * a) ** 2).sum() / (4 * n**2),
                "neural-style": F.mse_loss(1e4 * g / n, 1e4 * a / n),
                "crowson-2021": ((g - a) ** 2).sum() / ((g - a).abs().sum() + 1e-8),
                "crowson-2023": wasserstein(g - torch.outer(m, m), a - torch.outer(b, b), m - b) / n,
            }[variant]
        )
    expected["tv"] = (
        0.7
        * {
            "relative": total_variation(picture),
            "gatys-2016": 255**2 * squared_variation(picture),
            "neural-style": 255**2 * squared_variation(picture),
            "crowson-2021": nine_point_variation(picture),
            "crowson-2023": nine_point_variation(picture),
        }[variant]
    )

    assert found.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found.terms[name]) == pytest.approx(float(value), rel=1e-9), name
    assert float(found.total) == pytest.approx(float(sum(expected.values())))


def test_losses_of_content_and_style_are_means_over_views(exact_network: Network) -> None:
    content, style, picture = rand(13, 18, 1), rand(20, 11, 2), rand(13, 18, 4)
    views = ["picture", "negative", "rotated"]
    asked = params(views=views).model_copy(update={"content_layers": CONTENT, "style_layers": STYLE})
    found = style_transfer_loss(asked, exact_network, content, [style])(picture)

    each = [
        style_transfer_loss(asked.model_copy(update={"views": [view]}), exact_network, content, [style])(
            picture
        )
        for view in views
    ]
    for name, term in found.terms.items():
        mean_of_views = sum(float(one.terms[name]) for one in each) / len(each)
        assert float(term) == pytest.approx(mean_of_views, rel=1e-9), name
    assert len({float(one.terms["content.relu3"]) for one in each}) == 3
    torch.testing.assert_close(found.gradient, sum(one.gradient for one in each) / len(each))


def test_large_scales_have_one_view_each(network: Network) -> None:
    layers = {"content_layers": CONTENT, "style_layers": STYLE}
    asked = params(views=["negative", "picture"], size=602).model_copy(update=layers)
    content, style = torch.rand(1, 3, LARGEST_VIEWED, 16), torch.rand(1, 3, 16, 16)
    small = style_transfer_loss(asked, network, content, [style])
    assert isinstance(small, ViewSum)
    assert [view.tiling.network.view for view in small.views] == ["negative", "picture"]

    for side, view in ((LARGEST_VIEWED + 1, "negative"), (426, "picture"), (602, "negative")):
        large = style_transfer_loss(asked, network, torch.rand(1, 3, side, 16), [style])
        assert isinstance(large, LossSum)
        assert large.tiling.network.view == view
        assert large.magnitude == pytest.approx(small.magnitude)


def test_what_has_no_weight_is_left_out(network: Network) -> None:
    asked = params(
        content_layers={"relu3_1": 2.0, "relu4_1": 0.0},
        content_weight=5.0,
        style_weight=0.0,
        tv_weight=0.25,
    )
    assert weighted_layers(asked) == ({"relu3_1": 2.0}, {})

    tiny = asked.model_copy(update={"content_layers": {"relu3": 2.0, "relu1": 0.0}, "style_layers": STYLE})
    objective = style_transfer_loss(tiny, network, torch.rand(1, 3, 16, 16), [torch.rand(1, 3, 8, 8)])

    assert isinstance(objective, LossSum)
    assert [loss.name for loss in objective.losses] == ["content.relu3", "tv"]
    # Relative losses of features of 0 are their weights.
    assert objective.magnitude == pytest.approx(10.0)


@pytest.mark.parametrize("name", STYLE_LOSSES)
def test_the_style_loss_is_the_one_that_is_chosen(network: Network, name: str) -> None:
    content, style = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 8, 12)
    asked = params(style_loss=name, style_weight=3.0, tv_weight=0.0).model_copy(
        update={"content_layers": {"relu2": 2.0}, "style_layers": STYLE}
    )

    objective = style_transfer_loss(asked, network, content, [style])
    assert isinstance(objective, LossSum)
    losses = objective.losses

    # That of colors is one for all layers.
    assert [loss.name for loss in losses if loss.name != "style.palette"] == [
        "content.relu2",
        "style.relu1",
        "style.conv3",
    ]
    assert [type(loss) for loss in losses[1:]] == [
        type(loss)
        for loss in STYLE_LOSSES[name].losses(Styles(network, [style], [1.0], STYLE))  # type: ignore[index]
    ]
    factor = 3.0 * STYLE_LOSSES[name].factor  # type: ignore[index]
    assert [loss.magnitude for loss in losses[:3]] == pytest.approx([2.0, factor, 3 * factor])


def test_every_name_has_a_loss() -> None:
    assert STYLE_LOSSES.keys() == {*get_args(StyleLossName)}
    assert CONTENT_LOSSES.keys() == {*get_args(ContentLossName)}


@pytest.mark.parametrize("preset", PRESETS)
def test_numbers_of_a_source_are_for_its_losses_alone(preset: str) -> None:
    own = params(preset=preset)
    assert params(preset=preset, style_loss=own.style_loss, content_loss=own.content_loss) == own

    other = "histogram"
    if PRESETS[preset].variant == "relative":
        assert params(preset=preset, style_loss=other).style_loss == other
    else:
        with pytest.raises(InputError) as refused:
            params(preset=preset, style_loss=other)
        assert refused.value.field == "style_loss"


@pytest.mark.parametrize("name", STYLE_LOSSES)
def test_the_layers_nearest_to_the_picture_are_the_fine_styles(network: Network, name: str) -> None:
    # Strides 1, 2 and 4.
    layers = {"relu1": 1.0, "relu2": 2.0, "relu3": 3.0}
    content, picture, style, fine = (torch.rand(1, 3, 24, 24, generator=seeded(seed)) for seed in range(4))
    asked = params(style_loss=name, tv_weight=0.0).model_copy(
        update={"content_layers": {"relu2": 2.0}, "style_layers": layers}
    )

    terms = style_transfer_loss(asked, network, content, [style], fine)(picture).terms
    of_style, of_fine = (
        style_transfer_loss(asked, network, content, [each])(picture).terms for each in (style, fine)
    )

    assert terms.keys() == of_style.keys()
    for layer in ("style.relu1", "style.relu2"):
        assert float(terms[layer]) == pytest.approx(float(of_fine[layer]), rel=1e-4)
        assert float(terms[layer]) != pytest.approx(float(of_style[layer]), rel=1e-3)
    for layer in ("content.relu2", "style.relu3"):
        assert float(terms[layer]) == pytest.approx(float(of_style[layer]), rel=1e-4)
    if "style.palette" in terms:
        # As much as the distances of the layers with a weight of 1 and 2, of 1, 2 and 3.
        assert float(terms["style.palette"]) == pytest.approx(float(of_fine["style.palette"]) / 2, rel=1e-5)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
