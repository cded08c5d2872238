"""What a further rank needs to learn as rank 0 does, as JSON and safetensors: nothing is ever unpickled."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel
from torch import nn

from models.trainable import Recipe, Trainable, from_recipe
from worker.contract.compute import Compute
from worker.training.learner import Classes
from worker.training.muon import Muon
from worker.training.objectives import ObjectiveSettings

OptimizerClass = Literal["SGD", "Adam", "AdamW", "Muon"]
OPTIMIZERS: Mapping[OptimizerClass, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "Muon": Muon,
}


class Plan(BaseModel):
    """A model, its optimizer and its lesson, without the weights, which rank 0 sends.

    ``strides`` are those of the parameters by name, ``frozen`` the names of those that learn nothing,
    ``groups`` the param groups with names in the place of parameters.
    """

    recipe: Recipe
    strides: dict[str, list[int]]
    frozen: list[str]
    optimizer: OptimizerClass
    groups: list[dict[str, Any]]
    objective: ObjectiveSettings
    l1: float
    l2: float
    dtype: Literal["float32", "bfloat16"]
    threads: int

    def model(self, device: torch.device) -> Trainable:
        """The model in train mode, with room for its weights on a device."""
        model = from_recipe(self.recipe)
        for part in (model.stack, model.heads):
            part.to_empty(device=device)
        model.to(device)
        for name, parameter in model.named_parameters():
            parameter.data = torch.empty_strided(parameter.shape, self.strides[name], device=device)
            parameter.requires_grad_(name not in self.frozen)
        return model

    def make_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the model's parameters."""
        parameters = dict(model.named_parameters())
        groups = [
            {**group, "params": [parameters[name] for name in group["params"]]} for group in self.groups
        ]
        return OPTIMIZERS[self.optimizer](groups)

    def lesson(self) -> Classes:
        """What is minimized."""
        return Classes(self.objective, self.l1, self.l2)

    def compute(self, device: torch.device) -> Compute:
        """How it is computed on a device."""
        return Compute(device, getattr(torch, self.dtype), threads=self.threads)


def plan_of(model: Trainable, optimizer: torch.optim.Optimizer, lesson: Classes, compute: Compute) -> Plan:
    """What rank 0 has. Raises ValueError for an unknown optimizer, or a model without a recipe."""
    if model.recipe is None:
        raise ValueError("other ranks cannot build a model without a recipe")
    kind: OptimizerClass
    match optimizer:
        case torch.optim.SGD():
            kind = "SGD"
        # An Adam, too.
        case torch.optim.AdamW():
            kind = "AdamW"
        case torch.optim.Adam():
            kind = "Adam"
        case Muon():
            kind = "Muon"
        case _:
            raise ValueError(f"other ranks know no optimizer {type(optimizer).__name__}")

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return Plan(
        recipe=model.recipe,
        strides={name: list(parameter.stride()) for name, parameter in model.named_parameters()},
        frozen=[name for name, parameter in model.named_parameters() if not parameter.requires_grad],
        optimizer=kind,
        groups=[
            {**group, "params": [names[id(parameter)] for parameter in group["params"]]}
            for group in optimizer.param_groups
        ],
        objective=lesson.settings,
        l1=lesson.l1,
        l2=lesson.l2,
        dtype="bfloat16" if compute.dtype == torch.bfloat16 else "float32",
        threads=compute.threads,
    )


def pack_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> bytes:
    """The tensors that an optimizer remembers of the parameters, as a safetensors file."""
    tensors = {
        f"{key}/{name}": value.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
    return safetensors.torch.save(tensors)


def unpack_state(data: bytes, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Give an optimizer what :func:`pack_state` packed. Counts of steps stay on the CPU."""
    parameters = dict(model.named_parameters())
    for place, tensor in safetensors.torch.load(data).items():
        key, name = place.split("/", 1)
        parameter = parameters[name]
        own = tensor if tensor.ndim == 0 else torch.empty_like(parameter).copy_(tensor)
        optimizer.state[parameter][key] = own.detach()
