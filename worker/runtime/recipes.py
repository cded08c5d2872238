"""The recipe of a picture: all that is needed to make the same one again."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import PIL
import torch

from app.kinds import Params, spec_of
from models.network import Network
from worker.contract.compute import Compute


def make_recipe(
    params: Params, inputs: Mapping[str, Sequence[str]], network: Network | None, compute: Compute
) -> dict[str, Any]:
    """What made a picture, as JSON values.

    ``params`` are the resolved ones; ``inputs`` the SHA-256 of the picture files by param. Fed back on
    the same build of torch, processor, thread count and dtype it makes the same picture, bit for bit;
    versions and processor are named for that reason.
    """
    values = params.model_dump(mode="json")
    return {
        "kind": spec_of(params).name,
        "params": values,
        "inputs": {field: list(hashes) for field, hashes in inputs.items()},
        "network": None if network is None else {"name": network.name, "sha256": network.sha256},
        "seed": values.get("seed"),
        "device": str(compute.device),
        "processor": _processor(compute.device),
        "dtype": str(compute.dtype).removeprefix("torch."),
        "threads": compute.threads,
        "impasto": version("impasto"),
        "torch": torch.__version__,
        "pillow": PIL.__version__,
    }


def _processor(device: torch.device) -> str:
    """The name of the GPU, or the instruction set that torch uses on this CPU: kernels differ by it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return torch.backends.cpu.get_cpu_capability()
    return device.type
