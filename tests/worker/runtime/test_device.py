import pytest
import torch

from worker.runtime.device import available_devices, choose_device, choose_dtype, has_native_bfloat16

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


def test_auto_is_bfloat16_where_the_hardware_has_it() -> None:
    expected = torch.bfloat16 if has_native_bfloat16(CPU) else torch.float32

    assert choose_dtype(CPU, "auto") == expected


def test_another_dtype_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(ValueError, match="IMPASTO_PRECISION is 'half'"):
        choose_dtype(CPU, "half")


def test_a_device_without_bfloat16_gets_float32() -> None:
    assert choose_dtype(torch.device("mps"), "auto") == torch.float32
