"""Params of the making of a built-in set."""

from app.kinds.base import Params
from app.kinds.fields import OpenDatasetRef
from app.kinds.results.files import MakeDatasetResult
from app.kinds.spec import KindSpec
from app.networks.card import NetworkCard


class MakeDatasetParams(Params):
    """Draw the pictures of a built-in set, add them to it, and close it."""

    dataset: OpenDatasetRef

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Nobody knows."""
        del card, members
        return None


SPEC = KindSpec(
    name="make_dataset",
    params=MakeDatasetParams,
    result=MakeDatasetResult,
    function="worker.datasets.make_dataset:make_dataset",
    # Thousands of pictures take minutes, which would hold up short jobs.
    lane="long",
    title="Making of a built-in set",
    summary="Draw the pictures of a built-in set, and close it.",
    submit_label="Draw",
    listed=False,
    file_extensions=(),
    example={"dataset": "digits"},
)
