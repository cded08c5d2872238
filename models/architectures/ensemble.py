"""Several networks of one architecture whose probabilities are averaged, as one network.

Krizhevsky et al. 2012, section 5, and most winners since, average the predictions of separately trained
networks.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from models.geometry import Kind, OwnLayer, input_side
from models.network import describe_layers

MOST_MEMBERS = 16
LAYER = "logits"


class Ensemble(OwnLayer):
    """The logarithm of the mean of the members' probabilities, (N, classes); its softmax is that mean."""

    kind: ClassVar[Kind] = "logits"
    whole: ClassVar[bool] = True

    def __init__(self, members: Sequence[Mapping[str, nn.Module]]) -> None:
        """``members`` are stacks, from the normalised picture to the logits of the same classes."""
        super().__init__()
        self.members = nn.ModuleList(nn.ModuleDict(each) for each in members)
        self.channels: int = describe_layers(members[0])[-1].channels
        self.smallest_side = input_side(list(members[0].values()))

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, h, w) to (N, classes)."""
        logarithms = []
        for member in self.members:
            x = input
            for module in cast(nn.ModuleDict, member).values():
                x = module(x)
            logarithms.append(x.log_softmax(1))
        return torch.stack(logarithms).logsumexp(0) - math.log(len(logarithms))


def ensemble_stack(
    build: Callable[[str, Mapping[str, Any]], dict[str, nn.Module]],
    member: str,
    member_params: str,
    count: int,
) -> dict[str, nn.Module]:
    """The one layer, ``logits``; parameters on the meta device.

    ``build`` makes a member of its architecture and its params, which are JSON, as a card has no nested ones.
    Raises ValueError for more than 16 members, or members that are ensembles.
    """
    if not 1 <= count <= MOST_MEMBERS:
        raise ValueError(f"an ensemble has 1 to {MOST_MEMBERS} members, not {count}")
    if member == "ensemble":
        raise ValueError("an ensemble has no ensembles in it")
    params = json.loads(member_params)
    if not isinstance(params, dict):
        raise ValueError("the params of a member are not a JSON object")
    return {LAYER: Ensemble([build(member, params) for _ in range(count)])}


def ensemble_params(member: str, member_params: Mapping[str, Any], count: int) -> dict[str, str | int]:
    """The params of an ensemble of ``count`` networks of an architecture, as its card has them."""
    return {"member": member, "member_params": json.dumps(member_params, sort_keys=True), "count": count}


def ensemble_weights(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of an ensemble from those of its members, each by name."""
    return {
        f"{LAYER}.members.{place}.{name}": weight
        for place, weights in enumerate(members)
        for name, weight in weights.items()
    }
