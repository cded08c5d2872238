"""How a network was trained, as its card tells it."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

# Epochs of a history that are kept: as many as a curve of the page has pixels, so that cards stay small.
MOST_EPOCHS = 300

Epoch = Annotated[dict[str, float | None], Field(max_length=32)]


class TrainingRecord(BaseModel):
    """What a network was trained on, how, and how well it did."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    dataset: str = Field(max_length=200, description="Name of the set.")
    dataset_sha256: str = Field(max_length=64, description="Hash of its content.")
    split: dict[str, int] = Field(
        max_length=8, description="Number of pictures of each part: train, validation and test."
    )
    balance: dict[str, int] = Field(description="Number of pictures of each class that it was trained on.")
    base: str | None = Field(None, description="Name of the network that it began with.")
    base_sha256: str | None = Field(None, description="Hash of the weights of that one.")
    params: dict[str, JsonValue] = Field(max_length=200, description="Params of the training, resolved.")
    seed: int
    history: list[Epoch] = Field(
        max_length=MOST_EPOCHS, description="Its epochs, or as many of them as tell the curves."
    )
    metrics: dict[str, float | None] = Field(max_length=64, description="How well it does, by name.")
    version: str = Field(max_length=64, description="Version of Impasto.")


def thinned(history: Sequence[Mapping[str, float | None]]) -> list[dict[str, float | None]]:
    """At most MOST_EPOCHS of the epochs, evenly spread, among them the first and the last."""
    count = len(history)
    if count <= MOST_EPOCHS:
        return [dict(epoch) for epoch in history]
    return [dict(history[place * (count - 1) // (MOST_EPOCHS - 1)]) for place in range(MOST_EPOCHS)]
