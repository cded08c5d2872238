"""The recipe of a result: what is needed to make the same one again."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import PIL
import torch

from app.kinds import Params, spec_of
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs


def make_recipe(
    params: Params,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    stack_size: int = 1,
    reductions: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The recipe, as JSON.

    ``params`` are the resolved ones; ``stack_size`` the number of jobs that were computed together. On the
    same build of torch, processor, thread count, dtype and batch size it makes the same, bit for bit, which
    is why it names versions and processor. Of the inputs it has the SHA-256 of the files by param.
    ``reductions`` are what was given up where memory ran out; that depends on when it did.
    """
    need = params.network_need()
    names = {name: each.name for name, each in inputs.networks.items()}
    if need is not None and network is not None:
        names[need.name] = network.name
    # As the networks are called now: another one may have the name that the job was asked with.
    values = params.present_values(params.model_dump(mode="json"), names)
    return {
        "kind": spec_of(params).name,
        "params": values,
        "inputs": {field: list(hashes) for field, hashes in inputs.hashes.items()},
        "network": None if network is None else _used(network),
        "further_networks": [_used(each) for each in inputs.networks.values()],
        "seed": values.get("seed"),
        # Several of a training.
        "device": ",".join(map(str, (compute.device, *compute.partners))),
        "processor": _processor(compute.device),
        "dtype": str(compute.dtype).removeprefix("torch."),
        "threads": compute.threads,
        "stack_size": stack_size,
        **({"reductions": [*reductions]} if reductions else {}),
        "float32": _float32(compute.device),
        "impasto": version("impasto"),
        "torch": torch.__version__,
        "pillow": PIL.__version__,
    }


def _used(network: Network) -> dict[str, str | None]:
    """The network's name and the hash of its weights; None for one that has none."""
    return {"name": network.name, "sha256": None if network.device.type == "meta" else network.sha256}


def _processor(device: torch.device) -> str:
    """The name of the GPU, or the instruction set that torch uses on this CPU: kernels differ by it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return torch.backends.cpu.get_cpu_capability()
    return device.type


def _float32(device: torch.device) -> dict[str, str] | None:
    """How a CUDA device multiplies float32 numbers, by torch's settings: as "ieee", "tf32" or "bf16"."""
    if device.type != "cuda":
        return None
    settings = {
        "matmul": torch.backends.cuda.matmul.fp32_precision,
        "convolution": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
    }
    # "none": nothing but IEEE was allowed.
    return {name: "ieee" if value == "none" else value for name, value in settings.items()}
