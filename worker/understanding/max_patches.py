"""The patches of a set that excite the channels of a layer the most.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, figure 2: the strongest
patches of a channel beside what a deconvolutional network makes of its activation. Girshick, Donahue,
Darrell, Malik, "Rich feature hierarchies for accurate object detection and semantic segmentation", CVPR 2014,
figure 4: the pictures, with receptive field and activation in white.
"""

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.max_patches import ResolvedMaxPatches
from models.network import Network
from models.relu import deconvnet, guided, relu_backward
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.optim.objectives import precise
from worker.understanding.finite import require_finite
from worker.understanding.patch_figure import Found, patch_figure
from worker.understanding.receptive_fields import receptive_field
from worker.understanding.sets import Damage, batches, still
from worker.understanding.views import as_input, require_side

RULES = {"deconvnet": deconvnet, "guided": guided}


@dataclass
class Strongest:
    """The largest activations so far of each channel, of different pictures, the largest first.

    All (C, K): values (minus infinity: none yet), places of the pictures in the set, positions (y, x).
    """

    values: Tensor
    members: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def none(cls, channels: int, count: int) -> "Strongest":
        """Nothing found yet."""
        empty = torch.zeros(channels, count, dtype=torch.int64)
        return cls(torch.full((channels, count), -torch.inf), empty, empty.clone(), empty.clone())

    def add(self, maps: Tensor, first: int) -> None:
        """Take in the maps (N, C, h, w) of pictures that follow each other in the set, from ``first`` on.

        Of equal activations those of the first pictures are kept, and in a picture the first position.
        """
        values, positions = (each.cpu().T for each in precise(maps).flatten(2).max(2))
        width = maps.shape[3]
        members = torch.arange(first, first + len(maps)).expand_as(positions)
        merged = torch.cat([self.values, values.to(self.values)], 1)
        order = merged.argsort(dim=1, descending=True, stable=True)[:, : self.values.shape[1]]
        self.values = merged.gather(1, order)
        self.members = torch.cat([self.members, members], 1).gather(1, order)
        self.rows = torch.cat([self.rows, positions // width], 1).gather(1, order)
        self.columns = torch.cat([self.columns, positions % width], 1).gather(1, order)

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, for a checkpoint."""
        return {name: each.clone() for name, each in vars(self).items()}


def max_patches(
    params: ResolvedMaxPatches,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Look for the strongest patches of ``dataset``, then project each back to the pixels.

    A picture has one patch of a channel at most, at its strongest position, and only activations above zero
    count. Pictures that cannot be decoded are left out, and named in the result. A step is a batch.

    Raises InputError if none can be decoded, or the size is too small for the layer or too large for
    the memory; ComputationError if activations are not finite.
    """
    rule = params.projection if params.projection != "auto" else _usual_rule(network, params.layer)
    require_side(network, [params.layer], params.size, compute, gradient=rule != "none")
    members = inputs.members("dataset")
    strongest, damage = yield from _searched(params, members, network, compute, resume)
    if len(damage) == len(members):
        raise InputError("dataset", "It has no picture that can be decoded.")
    channels = params.channels or _most_excited(strongest.values, params.limit)
    rows = [
        [_found(params, network, members, strongest, channel, place) for place in _there(strongest, channel)]
        for channel in channels
    ]
    figure = _figure(params, rule, network, channels, members, rows, len(members) - len(damage), compute)
    table = [
        {"channel": channel, "rank": rank, "activation": each.value, "picture": each.name, **_at(each)}
        for channel, row in zip(channels, rows, strict=True)
        for rank, each in enumerate(row, start=1)
    ]
    result = {
        "network": network.name,
        "layer": params.layer,
        "projection": rule,
        "pictures": len(members) - len(damage),
        "damaged": damage.report(),
        "channels": channels,
        "never_excited": int((strongest.values[:, 0] <= 0).sum()),
        "table": table,
    }
    return Outcome({"image": figure}, result)


def _searched(
    params: ResolvedMaxPatches,
    members: Sequence[Member],
    network: Network,
    compute: Compute,
    resume: StepState | None,
) -> Generator[Step, None, tuple[Strongest, Damage]]:
    """One pass over the set."""
    damage = Damage(members, resume)
    channels = next(layer.channels for layer in network.layers if layer.name == params.layer)
    strongest, start = Strongest.none(channels, params.patches), 0
    if resume is not None:
        strongest, start = Strongest(**resume.tensors), int(resume.values["done"])
    for places, pictures in batches(members, params.size, start=start, on_damaged=damage.add):
        with torch.no_grad():
            maps = network.features(pictures.to(compute.device), (params.layer,))[params.layer]
        require_finite(network, maps)
        strongest.add(maps, places.start)
        yield Step(
            places.stop,
            len(members),
            losses=dict,
            image=None,
            state=partial(_state, strongest, places.stop, damage),
        )
    return strongest, damage


def _state(strongest: Strongest, done: int, damage: Damage) -> StepState:
    return StepState(strongest.tensors(), {"done": done, **damage.values()})


def _most_excited(values: Tensor, limit: int) -> list[int]:
    """The channels with the largest activations, in the network's order."""
    found: list[int] = values[:, 0].argsort(descending=True, stable=True)[:limit].tolist()
    return sorted(found)


def _there(strongest: Strongest, channel: int) -> list[int]:
    return [place for place, value in enumerate(strongest.values[channel].tolist()) if value > 0]


def _found(
    params: ResolvedMaxPatches,
    network: Network,
    members: Sequence[Member],
    strongest: Strongest,
    channel: int,
    place: int,
) -> Found:
    member = int(strongest.members[channel, place])
    position = int(strongest.rows[channel, place]), int(strongest.columns[channel, place])
    field = receptive_field(network, params.layer, channel, position, (params.size, params.size))
    return Found(
        float(strongest.values[channel, place]), member, members[member].name, channel, position, field
    )


def _at(found: Found) -> dict[str, Any]:
    """Where a patch is: the position of the layer, and the pixels that it sees."""
    return {"position": list(found.position), **asdict(found.field)}


def _usual_rule(network: Network, layer: str) -> str:
    """A deconvnet where max pools remember the picture; else it would show the same for every picture.

    Its ReLUs know the signal alone (Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for simplicity:
    the all convolutional net", ICLR workshop 2015, section 3.4).
    """
    names = list(network.stack)
    before = [network.stack[name] for name in names[: names.index(layer) + 1]]
    remembers = any(isinstance(each, nn.MaxPool2d) for module in before for each in module.modules())
    return "deconvnet" if remembers else "guided"


def _figure(
    params: ResolvedMaxPatches,
    rule: str,
    network: Network,
    channels: Sequence[int],
    members: Sequence[Member],
    rows: Sequence[Sequence[Found]],
    pictures: int,
    compute: Compute,
) -> Tensor:
    """Row by row, so that the pictures of one channel are in the memory at a time."""
    drawn = []
    for row in rows:
        shown = [as_input(still(members[each.member]), params.size) for each in row]
        projected = _project(params.layer, rule, network, row, shown, compute) if rule != "none" else None
        drawn.append((shown, projected))
    heading = f"{network.name}, {params.layer}: strongest of {pictures:,} pictures"
    return patch_figure(channels, rows, drawn, params.size, rule, heading)


def _project(
    layer: str,
    rule: str,
    network: Network,
    row: Sequence[Found],
    pictures: Sequence[Tensor],
    compute: Compute,
) -> list[Tensor]:
    """What each neuron's activation becomes in the pixels, (1, 3, H, W), by the rule of the projection."""
    return [
        project(network, layer, each, picture.to(compute.device), rule).cpu()
        for each, picture in zip(row, pictures, strict=True)
    ]


def project(network: Network, layer: str, found: Found, picture: Tensor, rule: str) -> Tensor:
    """The signal of one neuron on its way back to a picture (1, 3, H, W).

    All other activations of its layer count as 0. Max pools pass it to where their maximum came from (a
    deconvnet's switches), convolutions through their transposes, and ReLUs by the rule: "deconvnet" or
    "guided".
    """
    pixels = picture.detach().requires_grad_()
    with relu_backward(RULES[rule]), torch.enable_grad():
        maps = network.features(pixels, (layer,))[layer]
        value = precise(maps)[0, found.channel, found.position[0], found.position[1]]
        (signal,) = torch.autograd.grad(value, pixels)
    return signal
