"""Names of networks."""

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 64
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def is_name(text: str) -> bool:
    """Whether a network may have that name."""
    return _NAME.fullmatch(text) is not None


def as_name(text: str) -> str:
    """The name that is most like a text: "My cats, cnn" is my-cats-cnn, and "Äpfel" apfel."""
    letters = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    name = re.sub(r"[^a-z0-9._]+", "-", letters.lower()).strip("-._")[:LONGEST]
    return name or "network"


def numbered(name: str) -> Iterator[str]:
    """A name, and then others like it: cats, cats-2, cats-3, ..."""
    yield name
    number = 2
    while True:
        ending = f"-{number}"
        yield name[: LONGEST - len(ending)] + ending
        number += 1
