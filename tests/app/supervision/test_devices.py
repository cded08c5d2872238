"""Which devices have workers."""

import pytest

from app.settings import Settings
from app.supervision import devices
from app.supervision.devices import available_devices, devices_of, with_all_gpus
from app.supervision.startup import StartError
from app.workers.memory import has_accelerator


@pytest.mark.parametrize(
    ("names", "available", "chosen"),
    [
        (["auto"], ["cuda:0", "cuda:1", "cuda:2", "cpu"], ["cuda:0", "cuda:1", "cuda:2"]),
        (["auto"], ["mps", "cpu"], ["mps"]),
        (["auto"], ["cpu"], ["cpu"]),
        (["auto"], [], ["auto"]),
        (["auto", "cpu"], ["cuda:0", "cuda:1", "cpu"], ["cuda:0", "cuda:1", "cpu"]),
        (["cuda:1", "auto"], ["cuda:0", "cuda:1", "cpu"], ["cuda:1", "cuda:0"]),
    ],
)
def test_auto_is_every_gpu_or_else_the_best_device(
    names: list[str], available: list[str], chosen: list[str]
) -> None:
    assert with_all_gpus(names, available) == chosen


def test_names_may_have_spaces_and_be_there_several_times() -> None:
    assert devices_of(Settings(device=" cuda:0, CUDA:1 ,cuda:1")) == ["cuda:0", "cuda:1", "cuda:1"]


@pytest.mark.parametrize("device", ["", " ", ","])
def test_no_device_is_an_error_that_names_the_setting(device: str) -> None:
    with pytest.raises(StartError, match=r"IMPASTO_DEVICE is empty.*auto, cpu"):
        devices_of(Settings(device=device))


@pytest.mark.skipif(has_accelerator(), reason="this machine has an accelerator")
def test_a_machine_without_accelerator_does_not_load_torch_to_find_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "available_devices", lambda: pytest.fail("it asked"))
    assert devices_of(Settings(device="auto")) == ["auto"]


@pytest.mark.medium
def test_torch_says_what_there_is() -> None:
    assert available_devices()[-1] == "cpu"


@pytest.mark.medium
def test_a_machine_that_cannot_say_is_left_to_the_workers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(devices.sys, "executable", "/bin/false")
    assert with_all_gpus(["auto"], available_devices()) == ["auto"]
    assert "Cannot find out which GPUs there are" in caplog.text
