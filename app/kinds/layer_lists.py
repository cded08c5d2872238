"""Lists of layers, as JSON and as text in the form that lectures write them in.

``[(CONV-RELU)*2-POOL]*3-[FC-RELU]*2-FC`` is a list of layers, as Fei-Fei Li, Karpathy and Johnson write it
(CS231n, lecture 7): layers and groups one after the other, joined by ``-``; a group in ``()`` or ``[]``,
or a layer, is repeated by ``*3``. A layer is its name with its numbers behind it, in this order:

=============================  ===================================================================
``CONV5x5-10/1p2g2``           10 filters of 5 × 5 at stride 1, padded by 2, in 2 groups
``CONV5-10``                   the same filters at stride 1, not padded
``CONV``, ``CONV-128``         VGG's: 3 × 3 at stride 1, padded by 1; 64 filters where none are said
``LOCAL5x5-10/2``              the same with filters of its own at each position (locally connected)
``POOL3x3/2``, ``POOL``        the maximum of 3 × 3 at stride 2; of 2 × 2 at stride 2
``AVGPOOL``, ``L2POOL``        the same with means, or with L2 norms; ``GAP``: the mean of all positions
``FC-4096``, ``FC``            4096 units; ``FC`` at the end of the list has 1000
``RELU TANH SIGMOID SOFTMAX``  one function for each value; ``DROPOUT``
``BN``, ``LRN``                batch normalization; local response normalization
=============================  ===================================================================

``nobias`` leaves out the biases of CONV, LOCAL and FC; ``floor`` and ``ceil`` say how a CONV, LOCAL or POOL
rounds. Upper and lower case are the same.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from app.kinds.exact import tell_apart

Rounding = Literal["floor", "ceil"]
Count = Annotated[int, Field(ge=1, le=1 << 24)]
Side = Annotated[int, Field(ge=1, le=1 << 14)]

# The deepest network of the literature that is often drawn, ResNet-1001, has about as many.
MAX_LAYERS = 1000
MAX_DEPTH = 8
MAX_TEXT = 20_000

# VGG's (Simonyan and Zisserman, ICLR 2015, section 2.1).
CONV_SIZE, CONV_PADDING, CONV_FILTERS = 3, 1, 64
POOL_SIZE = 2
UNITS, CLASSES = 4096, 1000


class _Layer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _tell_apart(cls, values: Any) -> Any:
        # Of the whole: the field that tells the layers apart may have no validator of its own.
        for name in cls.model_fields:
            if isinstance(values, dict) and name in values:
                tell_apart(cls, name, values[name])
        return values


class Filters(_Layer):
    """A convolution, or a layer that is locally connected: filters that are not shared by the positions."""

    type: Literal["conv", "locally_connected"]
    filters: Count
    size: Side = CONV_SIZE
    stride: Side = 1
    padding: Annotated[int, Field(ge=0, le=1 << 14)] = 0
    groups: Count = 1
    bias: bool = True
    rounding: Rounding | None = None


class Pool(_Layer):
    """A pool; a null stride is the size."""

    type: Literal["pool"]
    method: Literal["max", "average", "L2"] = "max"
    size: Side = POOL_SIZE
    stride: Side | None = None
    padding: Annotated[int, Field(ge=0, le=1 << 14)] = 0
    rounding: Rounding | None = None


class FullyConnected(_Layer):
    """A fully connected layer."""

    type: Literal["fc"]
    units: Count
    bias: bool = True


class Norm(_Layer):
    """Batch normalization, or AlexNet's local response normalization."""

    type: Literal["norm"]
    method: Literal["batch", "local_response"] = "batch"


class Simple(_Layer):
    """A layer without numbers."""

    type: Literal["relu", "tanh", "sigmoid", "softmax", "dropout", "global_average"]


AnyLayer = Annotated[Filters | Pool | FullyConnected | Norm | Simple, Field(discriminator="type")]

_LAYERS: TypeAdapter[list[AnyLayer]] = TypeAdapter(
    Annotated[list[AnyLayer], Field(min_length=1, max_length=MAX_LAYERS)]
)

# The names of the text, with what they are.
_FILTERS: dict[str, Literal["conv", "locally_connected"]] = {"CONV": "conv", "LOCAL": "locally_connected"}
_POOLS: dict[str, Literal["max", "average", "L2"]] = {
    "MAXPOOL": "max",
    "AVGPOOL": "average",
    "L2POOL": "L2",
    "POOL": "max",
}
_NORMS: dict[str, Literal["batch", "local_response"]] = {"BN": "batch", "LRN": "local_response"}
_SIMPLE: dict[str, Simple] = {
    "RELU": Simple(type="relu"),
    "TANH": Simple(type="tanh"),
    "SIGMOID": Simple(type="sigmoid"),
    "SOFTMAX": Simple(type="softmax"),
    "DROPOUT": Simple(type="dropout"),
    "GAP": Simple(type="global_average"),
}
_NAMES = (*_FILTERS, *_POOLS, "FC", *_SIMPLE, *_NORMS)

_TOKEN = re.compile(
    rf"""\s*(?:
        (?P<name>{"|".join(sorted(_NAMES, key=len, reverse=True))})
        (?P<size>\d+(?:\s*[x×]\s*\d+)?)?
        (?:\s*-\s*(?P<count>\d+))?
        (?P<more>(?:/\d+|p\d+|g\d+|nobias|floor|ceil)*)
        (?![A-Za-z0-9/])
      | (?P<open>[(\[])
      | (?P<close>[)\]])
      | [*×]\s*(?P<times>\d+)
      | (?P<joint>[-–,])
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_MORE = re.compile(r"/(?P<stride>\d+)|p(?P<padding>\d+)|g(?P<groups>\d+)|(?P<flag>nobias|floor|ceil)", re.I)
_USED = {"stride": "/2", "padding": "p1", "groups": "g2"}


def as_text(value: Any) -> Any:
    """Layers given as text, or as a list of objects or its JSON, as text that :func:`parse_layers` reads.

    Raises ValueError for what is neither; other values are returned as they are.
    """
    if isinstance(value, str) and len(value) <= MAX_TEXT and value.lstrip().startswith(("[{", "[ {")):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"this begins as JSON and is none: {error}") from None
    if isinstance(value, str):
        parse_layers(value)
        return value.strip()
    if isinstance(value, list):
        text = format_layers(_validated(value))
        if len(text) > MAX_TEXT:
            raise ValueError(f"as text they have {len(text):,} characters; {MAX_TEXT:,} at most")
        return text
    return value


def parse_layers(text: str) -> list[AnyLayer]:
    """The layers of a text. Raises ValueError that says what is wrong at which character."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"{len(text):,} characters are too many: {MAX_TEXT:,} at most")
    tokens = list(_tokens(text))
    layers, end = _sequence(tokens, 0, 0)
    if end < len(tokens):
        raise ValueError(f"{_where(tokens[end])} closes a group that was not opened")
    if not layers:
        raise ValueError("there is no layer; [(CONV-RELU)*2-POOL]*3-FC is a list of layers")
    if layers[-1] == {"type": "fc"}:
        layers[-1] = {"type": "fc", "units": CLASSES}
    return _validated([{"units": UNITS, **layer} if layer["type"] == "fc" else layer for layer in layers])


def format_layers(layers: Sequence[AnyLayer]) -> str:
    """Layers as text, each with all its numbers."""
    return "-".join(map(_text_of, layers))


def _text_of(layer: AnyLayer) -> str:
    match layer:
        case Filters():
            name = next(name for name, type_ in _FILTERS.items() if type_ == layer.type)
            groups = f"g{layer.groups}" if layer.groups > 1 else ""
            tail = f"{groups}{'' if layer.bias else 'nobias'}{layer.rounding or ''}"
            size = f"{layer.size}x{layer.size}"
            return f"{name}{size}-{layer.filters}/{layer.stride}p{layer.padding}{tail}"
        case Pool():
            name = next(name for name, method in _POOLS.items() if method == layer.method)
            padding = f"p{layer.padding}" if layer.padding else ""
            stride = layer.stride or layer.size
            return f"{name}{layer.size}x{layer.size}/{stride}{padding}{layer.rounding or ''}"
        case FullyConnected():
            return f"FC-{layer.units}{'' if layer.bias else 'nobias'}"
        case Norm():
            return next(name for name, method in _NORMS.items() if method == layer.method)
        case Simple():
            return next(name for name, simple in _SIMPLE.items() if simple == layer)


def _validated(layers: Sequence[Any]) -> list[AnyLayer]:
    try:
        return _LAYERS.validate_python(list(layers))
    except ValidationError as error:
        first = error.errors()[0]
        match first["loc"]:
            case [int(place), *inner]:
                # The first of the inner names is the tag of the union.
                field = "".join(f"{name}: " for name in inner[1:])
                raise ValueError(f"layer {place + 1}: {field}{first['msg']}") from None
            case _:
                raise ValueError(first["msg"]) from None


_Raw = dict[str, Any]


def _tokens(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            rest = text[at:].strip()
            if not rest:
                return
            word = re.match(r"[^\s()\[\]*×,]+", rest)
            shown = word.group() if word else rest[0]
            raise ValueError(
                f"{shown[:40]!r} at character {at + 1} is no layer: write a name, such as CONV5x5-10/1p2 or "
                f"POOL2x2/2. Names: {', '.join(_NAMES)}"
            )
        yield token
        at = token.end()


def _where(token: re.Match[str]) -> str:
    return f"{token.group().strip()!r} at character {token.start() + 1}"


def _sequence(tokens: Sequence[re.Match[str]], at: int, depth: int) -> tuple[list[_Raw], int]:
    """The layers up to the end of a group, or of all; and the place of what ends them."""
    if depth > MAX_DEPTH:
        raise ValueError(f"groups within groups are {MAX_DEPTH} deep at most")
    layers: list[_Raw] = []
    while at < len(tokens) and not tokens[at]["close"]:
        token = tokens[at]
        if token["name"]:
            part, at = [_layer(token)], at + 1
        elif token["open"]:
            part, end = _sequence(tokens, at + 1, depth + 1)
            if end == len(tokens):
                raise ValueError(f"the group that {_where(token)} opens is not closed")
            if {token["open"]: tokens[end]["close"]} not in ({"(": ")"}, {"[": "]"}):
                raise ValueError(f"{_where(tokens[end])} does not close {_where(token)}")
            at = end + 1
        else:
            raise ValueError(f"{_where(token)} stands where a layer is expected")
        if at < len(tokens) and tokens[at]["times"]:
            part, at = part * _times(tokens[at]), at + 1
        layers += part
        if len(layers) > MAX_LAYERS:
            raise ValueError(f"more than {MAX_LAYERS} layers")
        if at < len(tokens) and tokens[at]["joint"]:
            at += 1
            if at == len(tokens) or tokens[at]["close"]:
                raise ValueError(f"{_where(tokens[at - 1])} is followed by no layer")
        elif at < len(tokens) and not tokens[at]["close"]:
            raise ValueError(f"{_where(tokens[at])} must be joined by - to what is before it")
    return layers, at


def _times(token: re.Match[str]) -> int:
    times = _number(token["times"])
    if not 1 <= times <= MAX_LAYERS:
        raise ValueError(f"{_where(token)}: a group is repeated 1 to {MAX_LAYERS} times")
    return times


def _layer(token: re.Match[str]) -> _Raw:
    name = token["name"].upper()
    more: dict[str, Any] = {}
    for match in _MORE.finditer(token["more"] or ""):
        number = next((key for key in _USED if match[key]), None)
        if number is not None:
            more[number] = _number(match[number])
        elif match["flag"].lower() == "nobias":
            more["bias"] = False
        else:
            more["rounding"] = match["flag"].lower()
    size = _size(token)
    count = None if token["count"] is None else _number(token["count"])
    if name in _FILTERS:
        usual = {"size": CONV_SIZE, "padding": CONV_PADDING} if size is None else {"size": size}
        filters = CONV_FILTERS if count is None else count
        return {"type": _FILTERS[name], "filters": filters, **usual, **more}
    if name in _POOLS:
        taken = _only(token, more, {"stride", "padding", "rounding"})
        if count is not None:
            raise ValueError(f"{_where(token)}: a pool has as many channels as its input: leave out -{count}")
        side = POOL_SIZE if size is None else size
        return {"type": "pool", "method": _POOLS[name], "size": side, "stride": side, **taken}
    if name == "FC":
        taken = _only(token, more, {"bias"})
        units = size if count is None else count
        if size is not None and count is not None:
            raise ValueError(f"{_where(token)}: write the units alone, such as FC-4096")
        return {"type": "fc", **({} if units is None else {"units": units}), **taken}
    if size is not None or count is not None or more:
        raise ValueError(f"{_where(token)}: {name} takes no numbers")
    return {"type": "norm", "method": _NORMS[name]} if name in _NORMS else {"type": _SIMPLE[name].type}


def _size(token: re.Match[str]) -> int | None:
    if token["size"] is None:
        return None
    sides = {_number(side) for side in re.split(r"\s*[x×]\s*", token["size"], flags=re.I)}
    if len(sides) > 1:
        raise ValueError(f"{_where(token)}: only squares are counted here, such as 5x5")
    return sides.pop()


def _number(digits: str) -> int:
    """A number; one that is too large for any param is cut to one that is still too large."""
    return int(digits[:12])


def _only(token: re.Match[str], more: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    for name in more.keys() - taken:
        raise ValueError(f"{_where(token)}: {token['name'].upper()} has no {name}")
    return more
