"""The logits of many views: whatever chunks they are computed in, those of each alone."""

from collections.abc import Iterator

import pytest
import torch

from models.efficientnet import efficientnet_lite0
from worker.understanding import predictions
from worker.understanding.predictions import logits_of


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("pixels", [1, 3 * 64 * 64])
def test_chunks_are_as_each_view_alone(threads: int, pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "CHUNK_PIXELS_ON_CPU", pixels)
    network = efficientnet_lite0().prepared(torch.device("cpu"), torch.float32)
    views = torch.rand(7, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = torch.cat([network.logits(view[None]) for view in views])
    made = logits_of(network, views)
    assert not made.requires_grad
    torch.testing.assert_close(made, alone, atol=1e-4, rtol=1e-5)
