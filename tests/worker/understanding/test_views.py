"""What of a picture a classifier is shown."""

import pytest
import torch

from app.errors import InputError
from worker.understanding.views import as_input


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
