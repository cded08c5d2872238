"""Layers that are chosen where a job names none."""

import pytest

from app.kinds.layers import middle_layer
from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import StyleTransferParams
from app.networks import get_card
from app.networks.catalogue import SHIPPED


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        ("palette", "relu4_3"),
        ("vgg16", "relu4_2"),
        ("squeezenet1_1", "fire7"),
        ("efficientnet_lite0", "block11"),
        ("googlenet", "inception_4c"),
        ("resnet50", "res4_4"),
    ],
)
def test_the_middle_layer(network: str, layer: str) -> None:
    assert middle_layer(get_card(network)) == layer


def test_style_transfer_takes_layers_as_deep_where_the_preset_names_those_of_vgg() -> None:
    params = StyleTransferParams(content="c", style=["s"], network="efficientnet_lite0")
    resolved = params.resolve(SHIPPED)
    assert resolved.style_layers == {"stem": 1.0, "block2": 1.0, "block4": 1.0}
    assert resolved.content_layers == {"block2": 1.0}
    given = StyleTransferParams(
        content="c", style=["s"], network="efficientnet_lite0", style_layers={"block3": 2.0}
    ).resolve(SHIPPED)
    assert (given.style_layers, given.content_layers) == ({"block3": 2.0}, {"block2": 1.0})
    usual = StyleTransferParams(content="c", style=["s"]).resolve(SHIPPED)
    assert usual.style_layers == PRESETS["impasto"].style_layers
