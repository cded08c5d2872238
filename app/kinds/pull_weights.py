"""Params of the download of a network's weights."""

from app.errors import InputError
from app.kinds.base import Params
from app.kinds.fields import NetworkName
from app.kinds.layers import require_card
from app.kinds.results.files import PullWeightsResult
from app.kinds.spec import KindSpec
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue
from app.networks.weights_folder import downloadable


class PullWeightsParams(Params):
    """Download the published weights of a network, check and convert them: once, for every later job."""

    network: NetworkName

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Nobody knows."""
        del card, members
        return None

    def resolve(self, catalogue: Catalogue) -> "PullWeightsParams":
        """Check that there is something to download."""
        if require_card(catalogue, self.network).download is None:
            raise InputError(
                "network", f"{self.network} needs no download. Networks that do: {', '.join(downloadable())}."
            )
        return self


SPEC = KindSpec(
    name="pull_weights",
    params=PullWeightsParams,
    result=PullWeightsResult,
    function="worker.networks.pull_weights:pull_weights",
    # The lane of the jobs that use the network, so that one that is sent after the download finds it. A
    # download may wait for its server for minutes, which would hold up short jobs.
    lane="long",
    # A file is hashed and converted in one go.
    stall_seconds=1800.0,
    title="Download of weights",
    summary="Download the weights of a network that are published elsewhere, once.",
    submit_label="Download",
    listed=False,
    file_extensions=(),
    label_fields=("network",),
    example={"network": "squeezenet1_1"},
)
