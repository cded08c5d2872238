"""What of a picture a classifier is shown."""

import re
from dataclasses import replace

import pytest
import torch

from app.errors import InputError
from tests.support.networks import make_classifier
from worker.contract.compute import Compute
from worker.understanding.views import as_input, require_side


def test_the_center_is_cut_out_of_a_picture_of_the_published_size() -> None:
    picture = torch.rand(1, 3, 256, 300)
    assert torch.equal(as_input(picture, 224), picture[..., 16:240, 38:262])


def test_a_picture_of_any_shape_becomes_a_square() -> None:
    for height, width in ((30, 700), (700, 30), (224, 224), (1, 1)):
        view = as_input(torch.full((1, 3, height, width), 0.25), 32)
        assert view.shape == (1, 3, 32, 32)
        assert torch.allclose(view, torch.tensor(0.25), atol=1e-6)


def test_a_long_picture_that_would_take_the_memory_is_refused() -> None:
    with pytest.raises(InputError, match=r"9,362 px at its shorter side .* crop the picture"):
        as_input(torch.zeros(1, 3, 1, 32).repeat_interleave(4, 2), 2048, 0.875 / 4)


def test_all_of_a_square_is_shown_with_a_center_of_one() -> None:
    picture = torch.rand(1, 3, 64, 64)
    assert torch.equal(as_input(picture, 64, center=1), picture)


@pytest.mark.parametrize("gradient", [False, True])
def test_a_size_is_too_small_for_a_layer_or_too_large_for_the_memory(gradient: bool) -> None:
    network = make_classifier()
    smallest = network.minimum_side(("logits",))
    roomy = Compute(torch.device("cpu"))
    require_side(network, ("logits",), smallest, roomy, gradient=gradient)
    with pytest.raises(InputError, match=f"logits of {network.name}: it needs {smallest} px"):
        require_side(network, ("logits",), smallest - 1, roomy, gradient=gradient)
    tight = replace(roomy, picture_bytes=100_000)
    with pytest.raises(InputError, match=r"largest size that fits is \d+") as caught:
        require_side(network, ("logits",), 512, tight, gradient=gradient)
    fits = int(re.findall(r"that fits is (\d+)", caught.value.detail)[0])
    require_side(network, ("logits",), fits, tight, gradient=gradient)
    with pytest.raises(InputError):
        require_side(network, ("logits",), fits + 4, tight, gradient=gradient)
