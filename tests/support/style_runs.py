"""Runs of style transfer with the tiny network of the tests."""

from typing import Any

import torch
from torch import Tensor

from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.synthesis.style_transfer import style_transfer

CPU = Compute(torch.device("cpu"))


def make_params(**values: Any) -> ResolvedStyleTransfer:
    """Resolved params for the tiny network, whose layers no card knows."""
    layers = {
        "content_layers": values.pop("content_layers", {"relu2": 1.0}),
        "style_layers": values.pop("style_layers", {"relu1": 1.0, "relu3": 1.0}),
    }
    defaults = {"content": "c", "style": ["s"], "size": 128, "steps": 12}
    return (
        StyleTransferParams.model_validate({**defaults, **values}).resolve(SHIPPED).model_copy(update=layers)
    )


def run(
    params: StyleTransferParams,
    network: Network,
    content: Tensor,
    *styles: Tensor,
    resume: StepState | None = None,
    start: Tensor | None = None,
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], StepState]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    seen: list[tuple[Step, Tensor, dict[str, float], StepState]] = []
    pictures = {
        "content": [content],
        "style": list(styles),
        **({} if start is None else {"init_image": [start]}),
    }
    compute = Compute(CPU.device, network.dtype)
    steps = style_transfer(params, Inputs.of(pictures), network, compute, resume)
    outcome = run_steps(steps, lambda step: seen.append((step, step.image(), step.losses(), step.state())))
    return outcome, seen
