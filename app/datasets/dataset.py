"""A set of pictures, its members, and the hash of its content."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from app.database.ids import is_id
from app.datasets.split import Part
from app.media import PictureInfo

State = Literal["open", "closed"]
BuiltIn = Literal["digits", "palette", "cifar10"]
Source = Literal["upload", BuiltIn]
Boxes = list[dict[str, Any]]

# Of every name and label.
MAX_NAME, MAX_LABEL = 400, 100
NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
# How a set is named: by its name or id, or by its content.
REFERENCE_PATTERN = f"{NAME_PATTERN}(@[0-9a-f]{{1,64}})?"
_NAME, _REFERENCE = re.compile(NAME_PATTERN), re.compile(REFERENCE_PATTERN)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A row of the table of sets; times are seconds since 1970.

    ``sha256`` is the hash of its content, None while it is open.
    """

    id: str
    name: str
    source: Source
    options: dict[str, Any]
    state: State
    sha256: str | None
    members: int
    duplicates: int
    bytes: int
    created_at: float
    closed_at: float | None
    is_split: bool
    idempotency_key: str | None
    payload_hash: str | None

    @property
    def reference(self) -> str:
        """How the params of a job name it: ``<id>@<sha256>``, and the id alone while it is open."""
        return self.id if self.sha256 is None else f"{self.id}@{self.sha256}"


@dataclass(frozen=True, kw_only=True)
class StoredMember:
    """A member: a stored picture, with its label and boxes if it has any.

    ``part`` is None if it has no label, or the set is open.
    """

    position: int
    image_id: str
    sha256: str
    label: str | None
    name: str
    boxes: Boxes | None
    part: Part | None


@dataclass(frozen=True, kw_only=True)
class NewMember:
    """A member to be added. ``info`` is that of a file that came with the set, None for a stored picture."""

    image_id: str
    sha256: str
    bytes: int
    name: str
    label: str | None = None
    boxes: Boxes | None = None
    info: PictureInfo | None = None


def is_name(text: str) -> bool:
    """Whether a set may have this name: not one that looks like an id."""
    return bool(_NAME.fullmatch(text)) and not is_id(text)


def is_reference(text: str) -> bool:
    """Whether a text can name a set."""
    return _REFERENCE.fullmatch(text) is not None


def is_text(text: str, most: int) -> bool:
    """Whether a name or a label can be kept: 1 to ``most`` characters, none of them a control character."""
    return 0 < len(text) <= most and not any(ord(letter) < 32 or ord(letter) == 127 for letter in text)


class ContentHash:
    """SHA-256 of the members of a set in order: a line of JSON each, of hash, label, name and boxes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, sha256: str, label: str | None, name: str, boxes: Boxes | None = None) -> None:
        """Add the next member; ``sha256`` is that of its file."""
        line = json.dumps(
            [sha256, label, name, boxes], ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        self._digest.update(line.encode() + b"\n")

    def hexdigest(self) -> str:
        """The hash so far."""
        return self._digest.hexdigest()


def content_hash(members: Iterable[tuple[str, str | None, str, Boxes | None]]) -> str:
    """The hash of a set of (SHA-256 of the file, label, name, boxes)."""
    digest = ContentHash()
    for member in members:
        digest.add(*member)
    return digest.hexdigest()
