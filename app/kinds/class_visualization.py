"""Params of class visualization."""

from pydantic import Field

from app.kinds.activation_maximization import PRESETS, MaximizationParams, ResolvedMaximization
from app.kinds.base import NetworkNeed
from app.kinds.classes import ClassNames, require_classes
from app.kinds.fields import PICTURE_EXTENSIONS
from app.kinds.layers import require_card
from app.kinds.results.pictures import ClassVisualizationResult
from app.kinds.spec import KindSpec
from app.networks.catalogue import Catalogue


class ClassVisualizationParams(MaximizationParams):
    """What a network believes that a class looks like (Simonyan, Vedaldi, Zisserman 2014)."""

    target: ClassNames = Field(
        title="Classes", description="One class or several of the network, by name or by index."
    )

    def network_need(self) -> NetworkNeed:
        """The whole network."""
        return NetworkNeed(self.network)

    def resolve(self, catalogue: Catalogue) -> "ResolvedClassVisualization":
        """Fill in the preset's values, and check the classes against the network."""
        card = require_card(catalogue, self.network)
        names = require_classes(card, self.target, "target")
        values = self.maximization_values(card) | {"target": names}
        resolved = self.resolved_as(ResolvedClassVisualization, values)
        resolved.require_valid(resolved.pictures_made)
        return resolved


class ResolvedClassVisualization(ResolvedMaximization, ClassVisualizationParams):
    """Resolved params of class visualization."""

    @property
    def pictures_made(self) -> int:
        """Each class once a variation."""
        return len(self.target) * self.variations


SPEC = KindSpec(
    name="class_visualization",
    params=ClassVisualizationParams,
    result=ClassVisualizationResult,
    resolved=(ResolvedClassVisualization,),
    function="worker.synthesis.class_visualization:class_visualization",
    lane="long",
    title="Class visualisation",
    summary="What a network believes that a class looks like.",
    submit_label="Visualise",
    command="class-visualization",
    primary_fields=("target", "preset", "size"),
    label_fields=("preset", "steps", "network", "size"),
    file_extensions=PICTURE_EXTENSIONS,
    format_field="format",
    example={"target": "spiral", "preset": "lucid"},
    presets=PRESETS,
)
