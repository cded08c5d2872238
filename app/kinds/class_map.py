"""Params of class maps: a classifier slid over a large picture."""

from pydantic import Field

from app.kinds.base import NetworkNeed, Params
from app.kinds.classes import ClassName, require_classes, require_classifier
from app.kinds.fields import NetworkName, PictureRef
from app.kinds.layers import require_card, spatial_layers
from app.kinds.results.looks import ClassMapResult
from app.kinds.spec import KindSpec, Lane, lane_by_work
from app.kinds.work import Spending, activation_bytes, forward_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

# The longer side of the picture, in sides of what the network classifies, where a job says none. Simonyan and
# Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, section 3.2,
# classify densely at 1 to 2.3 times the side they trained at; this is for pictures of several things.
SIDES = 3
LARGEST = 4096


class ClassMapParams(Params):
    """Where in a large picture a classifier sees which class (Sermanet et al. 2014)."""

    image: PictureRef = Field(title="Picture", description="The picture, of any shape; all of it is seen.")
    target: ClassName | None = Field(
        None,
        title="Class",
        description="The class to map, by name or by index. Empty: the most likely of the whole picture.",
    )
    network: NetworkName = Field(DEFAULT_CLASSIFIER, description="Name of the network to slide.")
    size: int | None = Field(
        None,
        ge=16,
        le=LARGEST,
        title="Size",
        description="Longer side in pixels at which the picture is seen: the larger, the smaller the things "
        f"that fill a window. Empty: {SIDES} times what the network classifies.",
        json_schema_extra={"widget": "size", "unit": "px"},
    )

    def network_need(self) -> NetworkNeed:
        """The whole network, in float32."""
        return NetworkNeed(self.network, float32=True)

    def picture_side(self, field: str) -> int | None:
        """The size."""
        del field
        return self.size

    def resolve(self, catalogue: Catalogue) -> "ResolvedClassMap":
        """Fill in the size, and check the class against the network."""
        card = require_card(catalogue, self.network)
        require_classifier(card)
        spatial_layers(card)
        target = None if self.target is None else require_classes(card, [self.target], "target")[0]
        size = self.size or SIDES * card.counted_side
        return self.resolved_as(ResolvedClassMap, {"target": target, "size": size})


class ResolvedClassMap(ClassMapParams):
    """Resolved params of a class map."""

    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """One pass over a square picture."""
        del members
        return forward_work(card, self.size)

    def shaped_bytes(self, card: NetworkCard, spending: Spending, shape: float) -> float:
        """Without a gradient."""
        del spending
        return activation_bytes(card, shape * self.size**2, gradient=False)


def class_map_lane(params: ResolvedClassMap, card: NetworkCard | None) -> Lane:
    """``short`` if even a square picture is over in about a second."""
    return lane_by_work(params.work(card, 0))


SPEC = KindSpec(
    name="class_map",
    params=ClassMapParams,
    result=ClassMapResult,
    resolved=(ResolvedClassMap,),
    function="worker.understanding.class_map:class_map",
    lane=class_map_lane,
    wait_seconds=10,
    title="Class map",
    summary="Where in a large picture a classifier sees which class.",
    submit_label="Map",
    command="class-map",
    group="Look inside",
    primary_fields=("target", "size"),
    label_fields=("target", "network", "size"),
    example={"network": "palette", "size": 192},
)
