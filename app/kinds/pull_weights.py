"""Params of the download of a network's weights."""

from typing import Any, ClassVar, Self

from pydantic import Field

from app.errors import InputError
from app.kinds.base import Lane, Params, require_card
from app.networks.weights_folder import downloadable


class PullWeightsParams(Params):
    """Download the published weights of a network, check and convert them: once, for every later job."""

    kind: ClassVar[str] = "pull_weights"
    # Where the jobs are that want the network: one that is sent after it finds it. Minutes of waiting for a
    # server would be in the way of short ones.
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "Download of weights"
    summary: ClassVar[str] = "Download the weights of a network that are published elsewhere, once."
    action: ClassVar[str] = "Download"
    endings: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[dict[str, Any]] = {"network": "squeezenet1_1"}
    offered: ClassVar[bool] = False

    network: str = Field(title="Network", description="Name of the network.")

    def resolve(self) -> Self:
        """Check that there is something to download."""
        if require_card(self.network).download is None:
            raise InputError(
                "network", f"{self.network} needs no download. Networks that do: {', '.join(downloadable())}."
            )
        return self
