"""The optimizers of training: param groups with their own learning rates, and weight decay."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.kinds.training_presets import Optimizer as OptimizerName
from models.trainable import Trainable
from worker.training.muon import ADAM_SHARE, Muon

# Kingma and Ba, "Adam" (ICLR 2015), algorithm 1.
BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimizer; ``momentum`` is that of sgd and muon (None: 0).

    ``weight_decay`` is of weights, not of biases and norms (He et al., "Bag of tricks for image
    classification", CVPR 2019, section 3.1). As in torch.optim it is part of the gradient for sgd and adam,
    and decoupled for adamw (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) and
    muon.
    """

    optimizer: OptimizerName
    learning_rate: float
    momentum: float | None = 0.9
    weight_decay: float = 0.0


def make_optimizer(
    model: nn.Module, settings: OptimizerSettings, share: Callable[[str], float] = lambda name: 1.0
) -> torch.optim.Optimizer:
    """The optimizer of the parameters of a model that require a gradient.

    ``share`` gives the learning rate of a parameter, by its name, in shares of that of the settings; 0
    freezes it. Each param group has its own ``lr``. Muon is for matrices before the last layer.
    """
    uses_muon = settings.optimizer == "muon"
    hidden = {id(weight) for weight in _hidden_matrices(model)} if uses_muon else set()
    grouped: dict[tuple[float, bool, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        rate = share(name)
        if not parameter.requires_grad or rate == 0:
            continue
        if uses_muon and id(parameter) not in hidden:
            rate *= ADAM_SHARE
        key = rate, parameter.ndim > 1, id(parameter) in hidden
        grouped.setdefault(key, []).append(parameter)
    groups = [
        {
            "params": parameters,
            "lr": rate * settings.learning_rate,
            "weight_decay": settings.weight_decay if is_weight else 0.0,
            **({"muon": by_muon} if uses_muon else {}),
        }
        for (rate, is_weight, by_muon), parameters in grouped.items()
    ]
    match settings.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum or 0.0)
        case "adam":
            return torch.optim.Adam(groups, lr=settings.learning_rate, betas=BETAS)
        case "adamw":
            return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS)
        case "muon":
            return Muon(groups, momentum=settings.momentum or 0.0)


def _hidden_matrices(model: nn.Module) -> list[Tensor]:
    """The weights of convolutions and linear layers, without depthwise ones and those that give logits."""
    ways = [model.stack, *model.heads.values()] if isinstance(model, Trainable) else [model]
    found = []
    for way in ways:
        layers = [module for module in way.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        found += [layer.weight for layer in layers[:-1] if not _is_depthwise(layer)]
    return found


def _is_depthwise(layer: nn.Conv2d | nn.Linear) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
