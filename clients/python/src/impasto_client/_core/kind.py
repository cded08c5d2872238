"""What the client knows of a kind of job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class KindInfo:
    """A kind: its path, its picture params (true: several), and the extensions of its files.

    ``continued`` are the picture params that take a job as a whole, to go on where it ended; ``removable``
    those of which None takes away what that job had.
    """

    path: str
    pictures: Mapping[str, bool]
    extensions: Sequence[str]
    continued: Sequence[str] = ()
    removable: Sequence[str] = ()
