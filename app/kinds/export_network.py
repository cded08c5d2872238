"""Params of the export of a network for other programs."""

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import NetworkName
from app.kinds.layers import require_card
from app.kinds.results.files import ExportNetworkResult
from app.kinds.spec import KindSpec, Lane
from app.networks.card import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

# More than these take longer than a second to be written.
SHORT_PARAMETERS = 10_000_000


class ExportNetworkParams(Params):
    """A network as ONNX: one file with its weights, its normalisation and its labels."""

    network: NetworkName = Field(DEFAULT_CLASSIFIER, title="Network", description="One that classifies.")
    size: int | None = Field(
        None,
        ge=1,
        le=2048,
        title="Size",
        description="Side in pixels of the pictures that it will take. Empty: any, or if its layers take no "
        "other, the one it classifies.",
        json_schema_extra={"widget": "size", "unit": "px"},
    )

    def network_need(self) -> NetworkNeed | None:
        """All of the network, as it was trained."""
        return NetworkNeed(self.network, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ExportNetworkParams":
        """Check that the network classifies."""
        card = require_card(catalogue, self.network)
        if card.layers[-1].name != "logits":
            raise InputError(
                "network",
                f"{card.name} does not classify, so that its model would have no logits. GET "
                f"/v1/networks/{card.name}/export gives its weights as safetensors.",
            )
        return self


def _lane(params: ExportNetworkParams, card: NetworkCard | None) -> Lane:
    return "short" if card is not None and card.parameters < SHORT_PARAMETERS else "long"


SPEC = KindSpec(
    name="export_network",
    params=ExportNetworkParams,
    result=ExportNetworkResult,
    function="worker.networks.export_network:export_network",
    lane=_lane,
    wait_seconds=10,
    title="Export as ONNX",
    summary="A network as an ONNX model for other programs, with its normalisation and its labels inside.",
    submit_label="Export",
    command="export-network",
    group="Look inside",
    primary_fields=("network", "size"),
    label_fields=("network", "size"),
    file_extensions=(".onnx",),
    example={"network": "palette"},
)
