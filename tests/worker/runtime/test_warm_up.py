"""Workers load what the jobs of their lane use before the first one comes."""

from pathlib import Path

import pytest
import torch

from app.settings import WeightsFolder
from worker.contract.compute import Compute
from worker.networks import loading
from worker.networks.loading import NetworkLoader
from worker.runtime.warm_up import warm_up

CPU = Compute(torch.device("cpu"))


@pytest.mark.medium
@pytest.mark.parametrize(
    ("lane", "name", "pooling"),
    [
        ("long", "palette", "average"),
        ("short", "efficientnet_lite0", None),
    ],
)
def test_the_network_of_the_lane_is_there_when_the_first_job_comes(
    lane: str, name: str, pooling: str | None, tmp_path: Path
) -> None:
    loading._prepared.cache_clear()
    # As in a service, which has a folder of weights.
    networks = NetworkLoader(WeightsFolder(tmp_path / "weights", ""))
    warm_up(networks, CPU, lane)
    loaded = loading._prepared.cache_info().misses
    networks.prepared(name, pooling, CPU)  # type: ignore[arg-type]
    assert loading._prepared.cache_info().misses == loaded == 1


def test_nothing_is_loaded_for_trainings() -> None:
    loading._prepared.cache_clear()
    warm_up(NetworkLoader(), CPU, "training")
    assert loading._prepared.cache_info().misses == 0


def test_a_classifier_that_is_not_installed_is_said_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Known, and nowhere without a download.
    monkeypatch.setattr("worker.runtime.warm_up.DEFAULT_CLASSIFIER", "vgg16")
    warm_up(NetworkLoader(), CPU, "short")
    assert "vgg16" in caplog.text
