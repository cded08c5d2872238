import pytest
import torch

from app.settings import Settings
from worker.runtime import device
from worker.runtime.device import (
    available_devices,
    bfloat16_share,
    choose_device,
    choose_devices,
    choose_dtype,
    choose_threads,
)

CPU = torch.device("cpu")


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == CPU
    assert available_devices()[-1] == "cpu"


def test_auto_is_the_first_device_there_is() -> None:
    assert choose_device("auto") == torch.device(available_devices()[0].removesuffix(":0"))


@pytest.mark.parametrize("setting", ["gpu", "", "meta", "cuda:99", "cuda:-1", "cpu0", "xpu"])
def test_another_device_is_an_error_that_names_the_setting(setting: str) -> None:
    with pytest.raises(ValueError, match=r"IMPASTO_DEVICE is .*cpu"):
        choose_device(setting)


def test_a_dtype_that_was_asked_for() -> None:
    assert choose_dtype(CPU, "float32") == torch.float32
    assert choose_dtype(CPU, "bfloat16") == torch.bfloat16


@pytest.mark.parametrize(
    ("native", "share", "chosen"),
    [
        pytest.param(True, 0.5, torch.bfloat16, id="faster"),
        pytest.param(True, 0.95, torch.float32, id="hardly faster"),
        pytest.param(True, 1.6, torch.float32, id="slower"),
        pytest.param(False, 0.5, torch.float32, id="emulated"),
    ],
)
def test_auto_is_bfloat16_where_the_hardware_has_it_and_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, native: bool, share: float, chosen: torch.dtype
) -> None:
    monkeypatch.setattr(device, "has_native_bfloat16", lambda _: native)
    monkeypatch.setattr(device, "bfloat16_share", lambda: share)

    assert choose_dtype(CPU, "auto") == chosen


def test_the_dtypes_are_measured_once_and_the_threads_stay() -> None:
    threads = torch.get_num_threads()

    share = bfloat16_share()

    assert 0 < share < 100
    assert bfloat16_share() == share
    assert torch.get_num_threads() == threads


def test_another_dtype_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(ValueError, match="IMPASTO_PRECISION is 'half'"):
        choose_dtype(CPU, "half")


def test_a_device_without_bfloat16_gets_float32() -> None:
    assert choose_dtype(torch.device("mps"), "auto") == torch.float32


@pytest.mark.parametrize(
    ("setting", "lane", "sharing", "threads"),
    [
        pytest.param(None, "long", 1, 12, id="alone"),
        pytest.param(None, "training", 2, 6, id="two"),
        pytest.param(None, "long", 5, 2, id="five"),
        pytest.param(None, "long", 13, 1, id="more than cores"),
        pytest.param(3, "long", 2, 3, id="the setting"),
        pytest.param(None, "short", 0, 1, id="short"),
        pytest.param(3, "short", 2, 1, id="short whatever the setting"),
        pytest.param(None, "long", 0, 12, id="of nobody"),
    ],
)
def test_workers_share_the_cores(
    setting: int | None, lane: str, sharing: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 12)
    assert choose_threads(setting, lane, sharing) == threads


def test_only_training_has_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    settings = Settings(training_devices="cpu,cpu,cpu")
    assert choose_devices(settings, "cpu", "training") == [CPU] * 3
    assert choose_devices(settings, "cpu", "long") == [CPU]
    assert choose_devices(Settings(), "cpu", "training") == [CPU]


def test_a_training_device_that_is_not_here_is_named_with_its_setting() -> None:
    with pytest.raises(ValueError, match="IMPASTO_TRAINING_DEVICES is 'cuda:97'"):
        choose_devices(Settings(training_devices="cpu,cuda:97"), "cpu", "training")


def test_torchrun_and_the_setting_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_devices(Settings(), "auto", "training") == [CPU] * 2
    with pytest.raises(ValueError, match="torchrun has started 2 processes"):
        choose_devices(Settings(training_devices="cpu,cpu,cpu"), "cpu", "training")
