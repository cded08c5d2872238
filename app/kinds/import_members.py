"""Params of the import of pictures into a set."""

from typing import Annotated

from pydantic import Field

from app.kinds.base import Params
from app.kinds.fields import OpenDatasetRef
from app.kinds.results.files import ImportMembersResult
from app.kinds.spec import KindSpec
from app.networks.card import NetworkCard


class ImportMembersParams(Params):
    """Check the pictures of a ZIP that was uploaded to a set, and add them to it."""

    dataset: OpenDatasetRef
    upload: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] = Field(
        title="Upload", description="Which upload; the service says it."
    )
    label: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        title="Label",
        description="Label of the pictures that have none. Empty: they have none.",
    )
    # Several calls may fill a set, so a call does not close it by itself.
    close: bool = Field(False, title="Close", description="Close the set at the end.")

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Nobody knows."""
        del card, members
        return None


SPEC = KindSpec(
    name="import_members",
    params=ImportMembersParams,
    result=ImportMembersResult,
    function="worker.datasets.import_members:import_members",
    # A large ZIP takes minutes, which would hold up short jobs.
    lane="long",
    title="Import into a set",
    summary="Check the pictures of an uploaded ZIP, and add them to a set.",
    submit_label="Import",
    listed=False,
    file_extensions=(),
    example={"dataset": "birds", "upload": "0198c0de-0000-7000-8000-000000000000"},
)
