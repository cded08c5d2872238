"""Params of occlusion: the one source of its defaults."""

from typing import Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.classes import ClassName, require_classes, require_classifier
from app.kinds.fields import DEFAULT_SIZE, NetworkName, NetworkSize, PictureRef
from app.kinds.layers import require_card
from app.kinds.results.looks import OcclusionResult
from app.kinds.spec import KindSpec, Lane, lane_by_work
from app.kinds.work import activation_bytes, forward_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

Fill = Literal["gray", "black", "white", "blur", "local-mean"]

# The square's share of the picture's side, 32 of 224 px, which hides an eye or a wheel of what fills the
# picture; Zeiler and Fergus do not say theirs. The step from one position to the next, as a share of the
# square: nearly every pixel is hidden by four squares.
WINDOW_SHARE = 1 / 7
STRIDE_SHARE = 1 / 2

MAX_POSITIONS = 10_000

# What is computed again of a network on average, by the default window and stride. Measured: 0.12 of vgg16 at
# 224 px, 0.30 of efficientnet_lite0 at 224 px, 0.32 of palette at 128 px.
SHARE_COMPUTED = 0.35


def positions(side: int, window: int, stride: int) -> list[int]:
    """Where windows begin along a side: at every multiple of the stride, and flush with the end."""
    return [*range(0, side - window, stride), side - window]


class OcclusionParams(Params):
    """The probability of a class while a square hides a part of the picture (Zeiler and Fergus 2014)."""

    image: PictureRef = Field(title="Picture", description="The picture, of which the middle square is used.")
    target: ClassName | None = Field(
        None,
        title="Class",
        description="The class whose probability is followed, by name or by index. Empty: the most likely.",
    )
    window: int | None = Field(
        None,
        ge=1,
        le=2048,
        title="Window",
        description="Side of the square that hides a part, in pixels of the size that the network is shown. "
        "Empty: a seventh of that.",
        json_schema_extra={"unit": "px"},
    )
    stride: int | None = Field(
        None,
        ge=1,
        le=2048,
        title="Stride",
        description="Pixels from one position of the square to the next; the last ones are flush with the "
        "edges. Empty: half of the square's side.",
        json_schema_extra={"unit": "px"},
    )
    fill: Fill = Field(
        # Zeiler and Fergus, section 4.2: "a grey square".
        "gray",
        title="Fill",
        description="What the square shows. gray: the color that the network takes for zero; black; white; "
        "blur: the picture itself, blurred; local-mean: the mean color of what it hides.",
    )
    size: NetworkSize = Field(
        None,
        description="Side in pixels of the square picture that the network is shown. Empty: what it "
        f"classifies, or {DEFAULT_SIZE}.",
    )
    network: NetworkName = Field(DEFAULT_CLASSIFIER, description="Name of the network that classifies.")

    def network_need(self) -> NetworkNeed:
        """The whole network, in float32: small drops of a probability are differences of near numbers."""
        return NetworkNeed(self.network, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedOcclusion":
        """Fill in sizes, and check them against each other, and the class against the network."""
        card = require_card(catalogue, self.network)
        require_classifier(card)
        size = self.size or card.input_size or DEFAULT_SIZE
        window = self.window or max(1, round(WINDOW_SHARE * size))
        if window > size:
            raise InputError(
                "window", f"A window of {window} px is larger than the picture: use {size} or less."
            )
        stride = self.stride or max(1, round(STRIDE_SHARE * window))
        if stride > window:
            raise InputError(
                "stride",
                f"A stride of {stride} px leaves pixels that no window of {window} px hides: use {window} "
                "or less.",
            )
        if _count(size, window, stride) > MAX_POSITIONS:
            least = next(
                step for step in range(stride, size + 1) if _count(size, window, step) <= MAX_POSITIONS
            )
            raise InputError(
                "stride",
                f"A stride of {stride} px makes {_count(size, window, stride)} positions, and "
                f"{MAX_POSITIONS} are allowed: use {least} or more, or a smaller size.",
            )
        target = None if self.target is None else require_classes(card, [self.target], "target")[0]
        values = {"size": size, "window": window, "stride": stride, "target": target}
        return self.resolved_as(ResolvedOcclusion, values)


class ResolvedOcclusion(OcclusionParams):
    """Resolved params of occlusion; only the class may be null."""

    window: int
    stride: int
    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """All positions, of which only what changes is computed."""
        del members
        windows = _count(self.size, self.window, self.stride)
        return forward_work(card, self.size, 1 + SHARE_COMPUTED * windows)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of the picture, whose activations are all kept."""
        return activation_bytes(card, self.size**2)


def _count(size: int, window: int, stride: int) -> int:
    return len(positions(size, window, stride)) ** 2


def lane_of(params: ResolvedOcclusion, card: NetworkCard | None) -> Lane:
    """``short`` where all positions are predicted to take less than a second."""
    return lane_by_work(params.work(card, 0))


SPEC = KindSpec(
    name="occlusion",
    params=OcclusionParams,
    result=OcclusionResult,
    resolved=(ResolvedOcclusion,),
    function="worker.understanding.occlusion:occlusion",
    lane=lane_of,
    wait_seconds=10,
    title="Occlusion",
    summary="Hide one part of a picture after another, and see which of them a network needs.",
    submit_label="Hide",
    command="occlusion",
    group="Look inside",
    primary_fields=("target", "window", "stride"),
    label_fields=("window", "stride", "network"),
    example={},
)
