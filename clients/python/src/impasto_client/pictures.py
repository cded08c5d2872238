"""What the client takes as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum
from typing import IO, Final, Literal, TypeAlias

from impasto_client._core.handles import ArtifactHandle, JobHandle
from impasto_client._generated.models import ImageView, MemberView

# A path of a file, its bytes, or an open file; or a picture that the service has: the id of an uploaded one,
# "<job id>/<artifact>", an image, a member of a set, a job (its artifact `image`; to go on from it, all that
# it kept), or an artifact.
Picture: TypeAlias = (
    str | os.PathLike[str] | bytes | IO[bytes] | ImageView | MemberView | JobHandle | ArtifactHandle
)
# One, or several.
Pictures: TypeAlias = Picture | Sequence[Picture]


class LeftOut(Enum):
    """What pictures default to where None takes away that of the job to go on from."""

    LEFT_OUT = "left out"


LEFT_OUT: Final[Literal[LeftOut.LEFT_OUT]] = LeftOut.LEFT_OUT
