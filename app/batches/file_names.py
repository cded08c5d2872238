"""Names of files that any system can unpack, from what clients call their entries."""

import re
import unicodedata

# Bytes of UTF-8 of a name without its ending: file systems take 255, some that encrypt 143.
MAX_BYTES = 120
# What Windows refuses in names, and what is no letter of them anywhere: controls, formats (among them those
# that turn the direction of writing round), surrogates, private characters, separators of lines.
_REFUSED = frozenset('/\\:*?"<>|')
_NO_LETTERS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: devices, whatever follows a dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def safe_name(text: str) -> str:
    """A name of one part that resembles a text; empty if nothing of it can stay."""
    text = unicodedata.normalize("NFC", text)
    name = "".join(_allowed(character) for character in text)
    name = name.encode()[:MAX_BYTES].decode(errors="ignore").strip(" .")
    return f"_{name}" if _DEVICE.match(name) else name


def _allowed(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return "_" if character in _REFUSED or category in _NO_LETTERS else character


class FileNames:
    """Gives names that differ also where upper and lower case are the same."""

    def __init__(self, *taken: str) -> None:
        self._taken = {_key(name) for name in taken}

    def take(self, text: str, number: int, ending: str) -> str:
        """A name for a folder, and with the ending for a file, that resembles a text.

        Where it is taken, it ends in ``number``, which no other has.
        """
        base = safe_name(text) or str(number)
        name = base
        while self._taken & (keys := {_key(name), _key(name + ending)}):
            name = f"{name}-{number}"
        self._taken |= keys
        return name


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
