"""The architectures that a training can begin with, without torch: names, builders, and their params.

Each has a file in ``models/architectures`` that says what it is from. Batch norms are no matter of an
architecture: a training has them behind the convolutions of any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, ValidationError

from app.errors import InputError
from app.kinds.exact import Exact

Architecture = Literal[
    "linear",
    "mlp",
    "cnn",
    "lenet",
    "lenet_1998",
    "alexnet",
    "alexnet_2012",
    "zfnet",
    "zfnet_lecture",
    "vgg_a",
    "vgg_a_lrn",
    "vgg_b",
    "vgg_c",
    "vgg_d",
    "vgg_e",
    "googlenet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "plain18",
    "plain34",
    "plain20",
    "plain32",
    "plain44",
    "plain56",
]

# The builder of several networks as one, which no training begins with.
ENSEMBLE = "ensemble"

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "maxout"]
Pooling = Literal["max", "average", "l2", "sum", "none"]

# Side in pixels of the maps that the convolutions of `cnn` leave, where it is not told how many stages it
# has: they still have an order of their own.
LAST_MAPS = 4

# What params of a training, and those of an architecture, are called in errors.
PARAM, OF_IT = "architecture", "architecture_params"


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("an odd number is needed, so that a filter has a middle")
    return side


Dropout = Annotated[
    float, Field(ge=0, le=0.95, title="Dropout", description="Share of units left out while it learns.")
]
ActivationName = Annotated[Activation, Field(title="Activation")]


class ArchitectureParams(Exact):
    """What a person may say of an architecture; each class has the defaults of one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def builder_params(self, size: int) -> dict[str, JsonValue]:
        """The arguments that these params give the builder, for pictures of ``size`` px. May raise
        InputError."""
        del size
        return self.model_dump()


class WidthParams(ArchitectureParams):
    """A published architecture, wider or narrower."""

    width: float = Field(
        1.0, ge=1 / 16, le=2, title="Width", description="Multiplies the channels and units of all layers."
    )


class MlpParams(ArchitectureParams):
    """Hidden layers of one width."""

    depth: int = Field(1, ge=1, le=64, title="Depth", description="Hidden layers.")
    width: int = Field(100, ge=1, le=8192, title="Width", description="Units of each.")
    activation: ActivationName = "relu"
    dropout: Dropout = 0.0


class CnnParams(ArchitectureParams):
    """[(CONV-RELU)*N-POOL?]*M-[FC-RELU]*K-FC."""

    n: int = Field(2, ge=1, le=8, title="N", description="Convolutions of a stage.")
    m: int | None = Field(
        None,
        ge=1,
        le=8,
        title="M",
        description=f"Stages, each of which halves the side. Empty: until it is {LAST_MAPS} to "
        f"{2 * LAST_MAPS - 1}.",
    )
    k: int = Field(1, ge=0, le=4, title="K", description="Fully connected layers before the last.")
    width: int = Field(
        16,
        ge=1,
        le=512,
        title="Width",
        description="Channels of the first stage; each later one has twice as many, 512 at most.",
    )
    units: int = Field(128, ge=1, le=8192, title="Units", description="Of a fully connected layer.")
    filter: Annotated[int, AfterValidator(_odd)] = Field(
        3, ge=1, le=11, title="Filter", description="Side of the filters; odd."
    )
    pooling: Pooling = Field(
        "max", title="Pooling", description="none: the last convolution of a stage has a stride of 2."
    )
    activation: ActivationName = "relu"
    dropout: Dropout = 0.0

    def builder_params(self, size: int) -> dict[str, JsonValue]:
        """With the number of stages filled in. Raises InputError on ``m`` for more than the side allows."""
        most = size.bit_length() - 1
        if self.m is not None and self.m > most:
            raise InputError(
                f"{OF_IT}.m", f"{size} px can be halved {most} times: use {most} at most, or a larger size."
            )
        m = max(1, (size // LAST_MAPS).bit_length() - 1) if self.m is None else self.m
        return {**self.model_dump(), "m": m}


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec:
    """An architecture that a training can begin with.

    ``builder`` is its name in ``models.architectures``, which also takes the arguments ``fixed``,
    ``classes``, and the side of the pictures if it is ``sized``. ``size`` is that side in pixels where a job
    says none, and ``smallest`` the least that leaves every layer a position.
    """

    title: str
    builder: str
    size: int
    smallest: int = 1
    params: type[ArchitectureParams] = ArchitectureParams
    fixed: Mapping[str, JsonValue] = field(default_factory=dict)
    sized: bool = False


# What classifies pictures of 224 px as published.
_IMAGENET = 224
_CIFAR = 32


def _vgg(column: str, depth: int, **more: JsonValue) -> ArchitectureSpec:
    fixed = {"depth": depth, **more}
    return ArchitectureSpec(
        title=f"VGG {column}", builder="vgg", size=_IMAGENET, smallest=32, params=WidthParams, fixed=fixed
    )


def _resnet(depth: int, **more: JsonValue) -> ArchitectureSpec:
    return ArchitectureSpec(
        title=f"Plain-{depth}" if more else f"ResNet-{depth}",
        builder="resnet",
        size=_IMAGENET,
        params=WidthParams,
        fixed={"depth": depth, **more},
    )


def _cifar_resnet(depth: int, **more: JsonValue) -> ArchitectureSpec:
    return ArchitectureSpec(
        title=f"Plain-{depth}, CIFAR" if more else f"ResNet-{depth}, CIFAR",
        builder="cifar_resnet",
        size=_CIFAR,
        params=WidthParams,
        fixed={"depth": depth, **more},
    )


_PLAIN: dict[str, JsonValue] = {"shortcuts": False}

ARCHITECTURES: dict[Architecture, ArchitectureSpec] = {
    "linear": ArchitectureSpec(title="Linear", builder="linear", size=32, sized=True),
    "mlp": ArchitectureSpec(
        title="Multilayer perceptron", builder="mlp", size=32, sized=True, params=MlpParams
    ),
    "cnn": ArchitectureSpec(
        title="Convolutional network", builder="cnn", size=64, smallest=2, sized=True, params=CnnParams
    ),
    "lenet": ArchitectureSpec(title="LeNet-5", builder="lenet", size=32, smallest=16),
    "lenet_1998": ArchitectureSpec(title="LeNet-5 of 1998", builder="lenet_1998", size=32, smallest=32),
    "alexnet": ArchitectureSpec(
        title="AlexNet", builder="alexnet", size=_IMAGENET, smallest=63, params=WidthParams
    ),
    "alexnet_2012": ArchitectureSpec(
        title="AlexNet of 2012", builder="alexnet_2012", size=227, smallest=67, params=WidthParams
    ),
    "zfnet": ArchitectureSpec(
        title="ZFNet", builder="zfnet", size=_IMAGENET, smallest=47, params=WidthParams
    ),
    "zfnet_lecture": ArchitectureSpec(
        title="ZFNet, wider",
        builder="zfnet",
        size=_IMAGENET,
        smallest=47,
        params=WidthParams,
        fixed={"wider": True},
    ),
    "vgg_a": _vgg("A", 11),
    "vgg_a_lrn": _vgg("A-LRN", 11, response_norm=True),
    "vgg_b": _vgg("B", 13),
    "vgg_c": _vgg("C", 16, pointwise=True),
    "vgg_d": _vgg("D", 16),
    "vgg_e": _vgg("E", 19),
    "googlenet": ArchitectureSpec(title="GoogLeNet", builder="googlenet", size=_IMAGENET, smallest=15),
    "resnet18": _resnet(18),
    "resnet34": _resnet(34),
    "resnet50": _resnet(50),
    "resnet101": _resnet(101),
    "resnet152": _resnet(152),
    "resnet20": _cifar_resnet(20),
    "resnet32": _cifar_resnet(32),
    "resnet44": _cifar_resnet(44),
    "resnet56": _cifar_resnet(56),
    "plain18": _resnet(18, **_PLAIN),
    "plain34": _resnet(34, **_PLAIN),
    "plain20": _cifar_resnet(20, **_PLAIN),
    "plain32": _cifar_resnet(32, **_PLAIN),
    "plain44": _cifar_resnet(44, **_PLAIN),
    "plain56": _cifar_resnet(56, **_PLAIN),
}


class Resolved(NamedTuple):
    """An architecture as a card names it: its builder, the arguments, and the side of what it is shown."""

    builder: str
    params: dict[str, JsonValue]
    input_size: int


def resolve_architecture(
    name: str, params: Mapping[str, JsonValue], size: int | None, classes: int
) -> Resolved:
    """The builder of an architecture and its arguments, for pictures of ``size`` px (None: its usual).

    Raises InputError on ``architecture``, ``architecture_params.<name>`` or ``size``.
    """
    spec = ARCHITECTURES.get(name)  # type: ignore[call-overload]
    if spec is None:
        raise InputError(PARAM, f"There is no architecture {name!r}. There are {', '.join(ARCHITECTURES)}.")
    try:
        own = spec.params.model_validate(dict(params))
    except ValidationError as error:
        raise _input_error(name, spec, error) from None
    side = spec.size if size is None else size
    if side < spec.smallest:
        raise InputError("size", f"{name} needs pictures of {spec.smallest} px or more, not {side}.")
    sized = {"side": side} if spec.sized else {}
    arguments = {**spec.fixed, **own.builder_params(side), **sized, "classes": classes}
    return Resolved(spec.builder, arguments, side)


def _input_error(name: str, spec: ArchitectureSpec, error: ValidationError) -> InputError:
    first = error.errors()[0]
    param = str(first["loc"][0])
    where = f"{OF_IT}.{param}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(spec.params.model_fields)
        there = f"it takes {known}" if known else "it takes none"
        return InputError(where, f"{name} has no param {param!r}: {there}.")
    return InputError(where, f"{first['msg']}. Given: {str(first['input'])[:100]!r}.")
