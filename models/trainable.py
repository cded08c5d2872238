"""Networks in training: a stack with its normalisation, batch norms behind its convolutions, and gradients.

A :class:`Network` is frozen, and its batch norms are part of its convolutions. In training they are there,
and :func:`plain_weights` folds them away: Ioffe and Szegedy, "Batch normalization: accelerating deep network
training by reducing internal covariate shift", ICML 2015, section 3.1.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from models.architectures import build_heads, build_stack
from models.architectures.lenet import RadialBasis
from models.batch_norm import fold
from models.geometry import Block, window_of
from models.network import Network

Initialization = Literal["he", "xavier", "glorot", "constant"]

# The deviation of the first scores of the classes, about: their loss is then that of a guess, ln C, within a
# few percent, and layers before them have a gradient.
FIRST_SCORES = 0.03

# Of the loss of an auxiliary head: Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 5.
AUXILIARY_WEIGHT = 0.3


class NormedConv(nn.Module):
    """A convolution without biases, and the batch norm behind it."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.conv.register_parameter("bias", None)
        self.norm = nn.BatchNorm2d(conv.out_channels, device=conv.weight.device, dtype=conv.weight.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """What the convolution gives, normalised."""
        normed: Tensor = self.norm(self.conv(input))
        return normed


@dataclass(frozen=True)
class Recipe:
    """How a network in training is built, as :func:`new_trainable` takes it."""

    architecture: str
    params: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    batch_norm: bool


class Trainable(nn.Module):
    """A network in training: (n, 3, H, W) pictures in [0, 1] to logits (n, classes).

    ``stack`` has its modules by layer name. ``heads`` are the auxiliary classifiers of GoogLeNet, each by the
    layer that it is on; other networks have none. After a forward pass in train mode ``auxiliary_logits``
    has what each head gave, (n, classes); the loss of each counts ``AUXILIARY_WEIGHT`` times that of the
    logits. In eval mode it is empty, and heads are not computed. ``recipe`` says how another process builds
    the same; None: it cannot.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        stack: Mapping[str, nn.Module],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        heads: Mapping[str, Mapping[str, nn.Module]] | None = None,
    ) -> None:
        super().__init__()
        self.stack = nn.ModuleDict(stack)
        self.heads = nn.ModuleDict({layer: nn.ModuleDict(head) for layer, head in (heads or {}).items()})
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.auxiliary_logits: list[Tensor] = []
        self.recipe: Recipe | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but the last logits, which cannot be copied with their graph."""
        return {**self.__dict__, "auxiliary_logits": []}

    def forward(self, pictures: Tensor) -> Tensor:
        """The logits, (n, classes)."""
        x = (pictures - self.mean) / self.std
        self.auxiliary_logits = []
        for name, module in self.stack.items():
            x = module(x)
            if self.training and name in self.heads:
                head = cast(nn.ModuleDict, self.heads[name])
                self.auxiliary_logits.append(_run(head.values(), x))
        return x


def make_trainable(
    stack: Mapping[str, nn.Module],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    batch_norm: bool = False,
    heads: Mapping[str, Mapping[str, nn.Module]] | None = None,
) -> Trainable:
    """A network in training of the modules of a stack, which are copied.

    With ``batch_norm`` there is one behind each convolution, those within blocks included. Parameters of
    a new stack are on the meta device: fill them by :func:`initialize`, or ``load_state_dict(assign=True)``
    of ``stack``.
    """
    model = Trainable(copy.deepcopy(dict(stack)), mean=mean, std=std, heads=copy.deepcopy(dict(heads or {})))
    if batch_norm:
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Conv2d):
                    setattr(parent, name, NormedConv(child))
    return model.requires_grad_(True).train()


def new_trainable(
    architecture: str,
    params: Mapping[str, Any],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    batch_norm: bool = False,
) -> Trainable:
    """A network in training of an architecture, with its auxiliary heads, its parameters on the meta device.

    Raises ValueError as :func:`models.architectures.build_stack` does.
    """
    return from_recipe(Recipe(architecture, dict(params), tuple(mean), tuple(std), batch_norm))


def from_recipe(recipe: Recipe) -> Trainable:
    """The network in training of a recipe, its parameters on the meta device. See :func:`new_trainable`."""
    stack = build_stack(recipe.architecture, recipe.params)
    heads = build_heads(recipe.architecture, recipe.params)
    norms = recipe.batch_norm
    model = make_trainable(stack, mean=recipe.mean, std=recipe.std, batch_norm=norms, heads=heads)
    model.recipe = recipe
    return model


def trainable_of(network: Network) -> Trainable:
    """A copy of a network that can be trained further, where it is. It has no batch norms."""
    mean, std = network.mean.flatten().tolist(), network.std.flatten().tolist()
    model = make_trainable(dict(network.stack.items()), mean=mean, std=std)
    # As it is there, whatever its device and dtype.
    model.mean, model.std = network.mean.clone(), network.std.clone()
    return model


@torch.no_grad()
def take_weights(model: Trainable, network: Network, pictures: Tensor) -> Trainable:
    """The model, its parameters on the meta device, with batch norms, doing what a network without them does.

    The network has the model's convolutions, with biases, and none of them within a block. Each norm's
    running statistics become those of ``pictures`` (n, 3, H, W) in [0, 1], and its affine map undoes them, so
    that in eval mode the function is the network's; in train mode it is so for batches with the same
    statistics. The model is on the CPU.
    """
    model.stack.to_empty(device="cpu")
    x = (pictures - model.mean) / model.std
    for name, module in model.stack.items():
        source = network.stack[name]
        if isinstance(module, NormedConv):
            weight, bias = cast(Tensor, source.weight), cast(Tensor, source.bias)
            module.conv.weight.copy_(weight)
            found, norm = module.conv(x), module.norm
            variance, mean = torch.var_mean(found, (0, 2, 3), correction=0)
            norm.reset_running_stats()
            cast(Tensor, norm.running_mean).copy_(mean)
            cast(Tensor, norm.running_var).copy_(variance)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(mean + bias)
            x = found + bias.view(1, -1, 1, 1)
        else:
            module.load_state_dict(source.state_dict())
            x = module(x)
    return model


def initialize(model: Trainable, seed: int, how: Initialization = "he", std: float = 0.01) -> Trainable:
    """The model on the CPU, with weights drawn from a seed, zero biases, and norms that are the identity.

    The deviation of normal weights is, with ``n`` inputs of a unit: ``he`` sqrt(2 / n), which keeps the
    variance over layers with ReLUs (He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2);
    ``xavier`` sqrt(1 / n), which does for layers that are linear about 0; ``glorot`` sqrt(2 / (n + outputs))
    (Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010, equation 12); ``constant`` ``std``, whatever the layer, which fails in deep networks.

    Except with ``constant``, the last layer has small weights, so that all classes begin about equally
    likely: the first loss is ln C, or C - 1 of the hinge; and the weights behind pools that sum, or take L2
    norms, are smaller by as much as these make their input larger. Without a norm, the last convolution that
    is added to a shortcut is 0, so that depth does not multiply the variance (Zhang, Dauphin, Ma, "Fixup
    initialization", ICLR 2019, section 3).
    """
    for part in (model.stack, model.heads):
        part.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    gain = 1.0
    for module in model.modules():
        gain *= 1.0 if how == "constant" else _pool_gain(module)
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = _deviation(module, how, std) / gain
            nn.init.normal_(module.weight, std=deviation, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            gain = 1.0
        elif isinstance(module, nn.BatchNorm2d) or hasattr(module, "reset_parameters"):
            cast(nn.BatchNorm2d, module).reset_parameters()
    if how != "constant":
        for stack in (model.stack, *model.heads.values()):
            _quieten(cast(nn.ModuleDict, stack), generator)
    return model


def _quieten(stack: nn.ModuleDict, generator: torch.Generator) -> None:
    """Small weights in the last layer, and none in what is added to shortcuts without a norm."""
    last = [each for each in stack.modules() if isinstance(each, nn.Conv2d | nn.Linear)][-1]
    *_, scores = stack.values()
    # The deviation of these is larger by this than that of the units.
    gain = math.sqrt(scores.units) if isinstance(scores, RadialBasis) else 1.0
    nn.init.normal_(last.weight, std=FIRST_SCORES / gain / math.sqrt(_inputs(last)), generator=generator)
    for block in stack.modules():
        if isinstance(block, Block) and block.added is not None:
            added = getattr(block, block.added)
            if isinstance(added, nn.Conv2d):
                nn.init.zeros_(added.weight)


def _inputs(module: nn.Conv2d | nn.Linear) -> int:
    """The inputs of a unit."""
    return module.weight.numel() // len(module.weight)


def _deviation(module: nn.Conv2d | nn.Linear, how: Initialization, std: float) -> float:
    inputs = _inputs(module)
    match how:
        case "he":
            return math.sqrt(2 / inputs)
        case "xavier":
            return math.sqrt(1 / inputs)
        case "glorot":
            # Of a convolution, the outputs that an input has a part in.
            groups = module.groups if isinstance(module, nn.Conv2d) else 1
            outputs = module.weight.numel() // module.weight.shape[1] // groups
            return math.sqrt(2 / (inputs + outputs))
        case "constant":
            return std
    raise ValueError(f"there is no initialization {how!r}")


def _area(pool: nn.Module) -> int:
    window = window_of(pool)
    return 1 if window is None else window.size**2


def _pool_gain(module: nn.Module) -> float:
    """How much larger than what it is given a pool's result is, about: that of sums, and of L2 norms."""
    if isinstance(module, nn.AvgPool2d) and module.divisor_override is not None:
        return _area(module) / module.divisor_override
    return math.sqrt(_area(module)) if isinstance(module, nn.LPPool2d) else 1.0


def plain_weights(model: Trainable) -> dict[str, Tensor]:
    """The weights of the stack that does what the model does in eval mode, by name, on the CPU.

    Batch norms are folded into the convolutions before them, in float64; heads are left out.
    """
    weights = {name: each.detach().cpu() for name, each in model.stack.state_dict().items()}
    plain: dict[str, Tensor] = {}
    normed = {name for name, module in model.stack.named_modules() if isinstance(module, NormedConv)}
    for name, weight in weights.items():
        head, _, kind = name.rpartition(".")
        owner = head.rpartition(".")[0]
        if owner not in normed:
            plain[name] = weight.clone()
        elif head.endswith(".conv") and kind == "weight":
            epsilon = cast(nn.BatchNorm2d, model.stack.get_submodule(f"{owner}.norm")).eps
            folded = fold(weights, f"{owner}.conv", f"{owner}.norm", epsilon)
            plain[f"{owner}.weight"], plain[f"{owner}.bias"] = folded
    return plain


def _run(modules: Iterable[nn.Module], x: Tensor) -> Tensor:
    for module in modules:
        x = module(x)
    return x
