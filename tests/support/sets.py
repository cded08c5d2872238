"""Sets of pictures that are in the memory."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from app.errors import InputError
from worker.contract.inputs import Inputs, Member, Source
from worker.media.pictures import Picture


def member_of(picture: Tensor, name: str = "a.png", label: str | None = None) -> Member:
    """A member that is loaded already."""
    return Member(Source("", lambda: Picture(picture)), label, name)


def damaged_member(name: str, label: str | None = None) -> Member:
    """A member that cannot be decoded."""

    def load() -> Picture:
        raise InputError("dataset", f"{name} is damaged.")

    return Member(Source("", load), label, name)


def inputs_of(members: Sequence[Member], pictures: Mapping[str, Sequence[Tensor]] | None = None) -> Inputs:
    """The inputs of a job with a set as ``dataset``, and pictures by param."""
    sources = {name: [member_of(each).source for each in some] for name, some in (pictures or {}).items()}
    return Inputs(sources, {"dataset": members})
