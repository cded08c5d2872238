"""Params of the kinds that classify whole pictures: networks, and what of a picture they are shown."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.classes import require_classifier
from app.kinds.fields import (
    CROP_SHARE,
    DEFAULT_SIZE,
    MAX_SHEET_PIXELS,
    NetworkName,
    NetworkNames,
    NetworkSize,
)
from app.kinds.layers import require_card
from app.kinds.work import DECODING, SAMPLE_PIXELS, activation_bytes, forward_work
from app.networks.card import LEAST_TEMPERATURE, MOST_TEMPERATURE, NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

Crops = Literal["center", "resize", "ten"]

# Pictures that a network is shown, of one picture at one scale.
VIEWS: dict[Crops, int] = {"center": 1, "resize": 1, "ten": 10}


class ClassifyingParams(Params):
    """How pictures are classified: by which networks, and what of each picture they are shown."""

    network: NetworkName = Field(DEFAULT_CLASSIFIER, description="Name of the network that classifies.")
    networks: NetworkNames | None = Field(
        None, description="Several networks that classify together, in the place of one."
    )
    crops: Crops = Field(
        "center",
        title="Crops",
        description="center: the square in the middle; resize: the whole picture, squeezed into a square; "
        "ten: the mean over four corners, the middle, and the reflections of all five.",
    )
    scales: list[Annotated[float, Field(ge=CROP_SHARE, le=4)]] = Field(
        [1.0],
        min_length=1,
        max_length=8,
        title="Scales",
        description="The mean over crops at each of these sizes of the picture. At 1 the square is 7/8 of "
        "the shorter side, at 0.875 all of it, at 2 a closer look.",
    )
    size: NetworkSize = Field(
        None,
        description="Side in pixels of the square that a network is shown. Empty: what it classifies, or "
        f"{DEFAULT_SIZE}.",
    )
    temperature: float | None = Field(
        None,
        ge=LEAST_TEMPERATURE,
        le=MOST_TEMPERATURE,
        title="Temperature",
        description="Divides the scores of the classes: above 1 the probabilities are less certain. Empty: "
        "the network's own where it was measured, else 1.",
    )

    def network_need(self) -> NetworkNeed:
        """The network, or the first of several, in float32: what is computed in a batch is what is alone."""
        return NetworkNeed(self.network, float32=True)

    def short_side(self) -> int | None:
        """Shorter side in pixels of the largest picture that crops are cut out of; None: it depends."""
        if self.size is None:
            return None
        return self.size if self.crops == "resize" else round(max(self.scales) * self.size / CROP_SHARE)

    def views(self) -> int:
        """Pictures that each network is shown of one picture."""
        return VIEWS[self.crops] * len(self.scales)

    def cards(self, catalogue: Catalogue) -> list[NetworkCard]:
        """The cards of the networks, which have classes. Raises InputError."""
        if self.networks is None:
            return [_classifier(catalogue, self.network, "network")]
        if self.network not in (DEFAULT_CLASSIFIER, self.networks[0]):
            raise InputError("network", "networks says which classify: leave this out, or add it there.")
        cards = [
            _classifier(catalogue, name, f"networks.{place}") for place, name in enumerate(self.networks)
        ]
        for place, card in enumerate(cards):
            if card in cards[:place]:
                raise InputError(f"networks.{place}", f"{card.name} is named twice: leave one of them out.")
        return cards

    def classifying_values(self, cards: Sequence[NetworkCard]) -> dict[str, Any]:
        """The values of the params that the networks give. Raises InputError."""
        if self.crops == "resize" and self.scales != [1.0]:
            raise InputError(
                "scales",
                "The whole picture has one size: leave this out, or set crops to center or to ten.",
            )
        values: dict[str, Any] = {"network": cards[0].name}
        sizes = {card.input_size or DEFAULT_SIZE for card in cards}
        largest = self.size or max(sizes)
        if self.views() * largest**2 > MAX_SHEET_PIXELS:
            raise InputError(
                "size",
                f"{self.views()} crops of {largest} px have too many pixels for the memory: use "
                f"{int((MAX_SHEET_PIXELS / self.views()) ** 0.5)} px or less, or fewer crops and scales.",
            )
        if self.size is None and len(sizes) == 1:
            values["size"] = sizes.pop()
        if self.temperature is None and len(cards) == 1:
            values["temperature"] = cards[0].temperature or 1.0
        return values

    def working_bytes(self, card: NetworkCard) -> float:
        """Of the views of a picture, or as many as are classified at once."""
        side = self.size or card.counted_side
        pixels = max(self.views() * side**2, SAMPLE_PIXELS)
        return activation_bytes(card, pixels, gradient=False)

    def pictures_work(self, pictures: int, card: NetworkCard | None) -> float | None:
        """Multiply-adds that take as long as that many pictures; None: nobody knows."""
        networks = 1 if self.networks is None else len(self.networks)
        each = forward_work(card, self.size, networks * self.views())
        return None if each is None else pictures * (DECODING + each)


def require_same_classes(cards: Sequence[NetworkCard], remedy: str) -> None:
    """Check that the probabilities of networks can be averaged. Raises InputError that says ``remedy``."""
    for place, card in enumerate(cards):
        if card.classes != cards[0].classes:
            raise InputError(
                f"networks.{place}",
                f"{card.name} has other classes than {cards[0].name}, so that their probabilities have no "
                f"mean: {remedy}",
            )


def _classifier(catalogue: Catalogue, name: str, field: str) -> NetworkCard:
    card = require_card(catalogue, name, field)
    require_classifier(card, field)
    return card
