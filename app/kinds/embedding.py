"""Params of embedding: how a layer arranges the pictures of a set."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.activations import ShownSize
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    CROP_SHARE,
    DEFAULT_SIZE,
    DatasetRef,
    LayerName,
    LayerNames,
    NetworkName,
    PictureRef,
    Seed,
)
from app.kinds.layers import ACTIVATIONS, require_card, require_layers
from app.kinds.results.looks import EmbeddingResult
from app.kinds.spec import KindSpec
from app.kinds.work import DECODING, SAMPLE_PIXELS, activation_bytes, forward_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

MOST_PICTURES = 10_000
# Layers that a probe reads at most: their codes are kept for the whole set.
MOST_PROBED = 12


class EmbeddingParams(Params):
    """A map of a set on which pictures with similar codes are neighbours (van der Maaten and Hinton 2008)."""

    dataset: DatasetRef = Field(title="Set", description="The pictures to arrange.")
    network: NetworkName = DEFAULT_CLASSIFIER
    layer: LayerName | None = Field(
        None,
        title="Layer",
        description="The layer whose activations are the code of a picture; of maps their means. Empty: the "
        "last before the scores of the classes.",
    )
    image: PictureRef | None = Field(
        None, title="Query", description="A picture whose nearest neighbours in the set are looked for."
    )
    method: Literal["tsne", "pca"] = Field(
        "tsne",
        title="Map",
        description="How codes become places on the map of thumbnails: t-SNE, or principal components.",
    )
    # van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008, section 2: typically 5 to 50; 30
    # is the default of openTSNE. A third of the pictures is the most that their affinities are defined for.
    perplexity: float = Field(
        30.0,
        ge=2,
        le=200,
        title="Perplexity",
        description="About how many neighbours of each picture t-SNE keeps; a third of the pictures at most.",
    )
    # Six columns, of a picture and its neighbours, are figure 4 of Krizhevsky, Sutskever, Hinton (NIPS 2012).
    neighbors: int = Field(
        6, ge=1, le=20, title="Neighbours", description="Nearest pictures to list of each."
    )
    probe: bool = Field(
        False,
        title="Probe",
        description="Also learn the labels of the set from each layer alone, and say how well that goes.",
    )
    probe_layers: LayerNames | None = Field(
        None,
        max_length=MOST_PROBED,
        title="Probed layers",
        description=f"Layers that labels are learned from. Empty: {MOST_PROBED} at most, evenly spaced.",
    )
    limit: int = Field(
        MOST_PICTURES,
        ge=8,
        le=MOST_PICTURES,
        title="Pictures",
        description="Pictures at most; of larger sets evenly spaced ones.",
    )
    size: ShownSize = None
    seed: Seed = Field(
        0, description="Seed of the pictures that a probe is tested on, and of components of large sets."
    )

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """The perplexity where there is no t-SNE."""
        if values.get("method") != "pca":
            return {}
        return {"perplexity": "Principal components have none: leave this out, or set method to tsne."}

    def picture_short_side(self, field: str) -> int | None:
        """The square in the middle is cut out of a picture a little larger."""
        del field
        return None if self.size is None else round(self.size / CROP_SHARE)

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        layers = {"layer": [self.layer] if self.layer else [], "probe_layers": self.probe_layers or []}
        return NetworkNeed(self.network, layers, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedEmbedding":
        """Fill in layers and size, and check them against the network."""
        card = require_card(catalogue, self.network)
        layer = self.layer or _last(card)
        require_layers(card, [layer], "layer")
        values = {"layer": layer, "size": self.size or card.input_size or DEFAULT_SIZE}
        if self.probe_layers is not None and not self.probe:
            raise InputError("probe_layers", "Nothing is probed: leave this out, or set probe to true.")
        if self.probe:
            given = self.probe_layers or _probed(card)
            require_layers(card, given, "probe_layers")
            # Each once, from the picture to the output.
            values["probe_layers"] = [name for name in card.layer_names if name in given]
        return self.resolved_as(ResolvedEmbedding, values)


class ResolvedEmbedding(EmbeddingParams):
    """Resolved params of embedding. ``probe_layers`` are null where nothing is probed."""

    layer: LayerName
    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """One pass over each picture of the set."""
        each = forward_work(card, self.size, layers=self.needed_layers())
        return None if each is None else members * (DECODING + each)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of as many pictures as go forward at once."""
        return activation_bytes(card, max(self.size**2, SAMPLE_PIXELS), self.needed_layers(), gradient=False)


def _last(card: NetworkCard) -> str:
    """The last layer before the logits, that is no dropout."""
    found = [layer.name for layer in card.layers if layer.kind not in ("logits", "dropout")]
    if not found:
        raise InputError("network", f"{card.name} has no layer before its scores: choose another network.")
    return found[-1]


def _probed(card: NetworkCard) -> list[str]:
    """ReLUs, blocks and what follows the last of them, evenly spaced where there are many."""
    found = [layer.name for layer in card.layers if layer.kind in (*ACTIVATIONS, "logits")]
    if len(found) <= MOST_PROBED:
        return found
    spacing = (len(found) - 1) / (MOST_PROBED - 1)
    return [found[round(place * spacing)] for place in range(MOST_PROBED)]


SPEC = KindSpec(
    name="embedding",
    params=EmbeddingParams,
    result=EmbeddingResult,
    resolved=(ResolvedEmbedding,),
    function="worker.understanding.embedding:embedding",
    lane="long",
    # Its nearest neighbours and their rounds of t-SNE, of all pictures at once.
    stall_seconds=3600.0,
    title="Embedding",
    summary="A map of a set, on which pictures that a network finds similar are neighbours.",
    submit_label="Arrange",
    command="embedding",
    group="Look inside",
    primary_fields=("network", "layer", "probe"),
    label_fields=("network", "layer", "method"),
    file_extensions=(".png", ".json"),
    tables={"probe": ()},
    example={"network": "palette", "dataset": "palette", "limit": 24},
)
