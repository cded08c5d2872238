"""The device and the dtype that a worker computes with.

``python -m worker.runtime.device`` prints the names of all devices as JSON, for processes without torch.
"""

import json
import os
import time
from functools import cache

import torch

from app.settings import Settings
from app.workers.memory import host_memory

CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16")

# bfloat16 is chosen on a CPU if it takes at most this share of float32's time: near 1 the gain would not be
# worth its rounding, nor would each start choose the same.
WORTHWHILE = 0.85
# Rounds of the measurement, which take about a twentieth of a second together.
ROUNDS = 4


def choose_device(setting: str, name: str = "IMPASTO_DEVICE") -> torch.device:
    """The device of a setting, by its name: ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``.

    ``auto`` is the first there is of CUDA, Apple's MPS and the CPU. Raises ValueError, naming the setting,
    for anything else, and for a device that this machine, or this build of torch, does not have.
    """
    if setting == "auto":
        setting = "cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu"
    try:
        device = torch.device(setting)
    except RuntimeError:
        device = torch.device("meta")
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "mps" and torch.mps.is_available():
        return torch.device("mps")
    if device.type == "cuda" and (device.index or 0) < torch.cuda.device_count():
        return device
    raise ValueError(
        f"{name} is {setting!r}, which is not here. Here: {', '.join(available_devices())}; auto chooses."
    )


def choose_devices(settings: Settings, device: str, lane: str) -> list[torch.device]:
    """The devices of a worker: ``device``, or of training those of ``IMPASTO_TRAINING_DEVICES`` if set.

    Where ``torchrun`` has started this process, there is one for each of its ranks. Raises ValueError as
    :func:`choose_device` does, and if their number is another.
    """
    if lane != "training":
        return [choose_device(device)]
    name = "IMPASTO_TRAINING_DEVICES"
    names = settings.training_device_names
    if (ranks := int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        gpus = torch.cuda.is_available() and device != "cpu"
        names = names or [f"cuda:{rank}" if gpus else "cpu" for rank in range(ranks)]
        if len(names) != ranks:
            raise ValueError(f"torchrun has started {ranks} processes, and {name} names {len(names)}.")
    return [choose_device(each, name) for each in names] or [choose_device(device)]


def choose_threads(setting: int | None, lane: str, sharing: int) -> int:
    """The threads of a worker's arithmetic, for as long as it lives: a recipe names their number.

    One in the lane ``short``. Else those of the setting ``IMPASTO_THREADS``, or an equal share, one at least,
    of the cores, where ``sharing`` workers of the lane share them.
    """
    if lane == "short":
        return 1
    return setting or max(1, torch.get_num_threads() // max(1, sharing))


def memory_of(device: torch.device, setting: int | None) -> int:
    """Bytes that a job may take of a device: those of the setting, or what the device has."""
    if setting is not None:
        return setting
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return host_memory()


def available_devices() -> list[str]:
    """Names of the devices that can be chosen on this machine, the best first."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [*cuda, *(["mps"] if torch.mps.is_available() else []), "cpu"]


def choose_dtype(device: torch.device, setting: str) -> torch.dtype:
    """The dtype of activations of the setting ``IMPASTO_PRECISION``: ``auto``, ``float32`` or ``bfloat16``.

    ``auto`` is the faster of the two where the hardware multiplies bfloat16, and float32 elsewhere. A CPU is
    measured, since some that have it are slower with it; docs/style-transfer.md, "Precision", has figures.
    Raises ValueError, naming the setting, for anything else.
    """
    match setting:
        case "float32":
            return torch.float32
        case "bfloat16":
            return torch.bfloat16
        case "auto":
            faster = has_native_bfloat16(device) and (device.type != "cpu" or bfloat16_share() <= WORTHWHILE)
            return torch.bfloat16 if faster else torch.float32
    raise ValueError(f"IMPASTO_PRECISION is {setting!r}: set it to auto, float32 or bfloat16.")


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in CPU_BFLOAT16)
    return False


@cache
def bfloat16_share() -> float:
    """The time of a convolution and its gradient on the CPU in bfloat16, as a share of that in float32.

    Measured once a process, in one thread and in its time of the processor, which other
    load changes little. The convolution is one of a VGG's: 3 x 3, 128 channels, on a map of 32 x 32.
    """
    best = dict.fromkeys((torch.float32, torch.bfloat16), float("inf"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # The first of each makes its kernels, and is never the fastest.
        for _ in range(1 + ROUNDS):
            for dtype in best:
                best[dtype] = min(best[dtype], _convolution_seconds(dtype))
    finally:
        torch.set_num_threads(threads)
    return best[torch.bfloat16] / best[torch.float32]


def _convolution_seconds(dtype: torch.dtype) -> float:
    """Those of the processor that a convolution and its gradient take."""
    kernel = torch.full((128, 128, 3, 3), 0.01, dtype=dtype).contiguous(memory_format=torch.channels_last)
    features = torch.ones((1, 128, 32, 32), dtype=dtype).contiguous(memory_format=torch.channels_last)
    features.requires_grad_()
    began = time.thread_time()
    found = torch.nn.functional.conv2d(features, kernel, padding=1)
    torch.autograd.grad(found.float().sum(), features)
    return time.thread_time() - began


if __name__ == "__main__":
    print(json.dumps(available_devices()))
