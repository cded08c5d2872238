"""Pairs of pictures to paint: drawn ones, photographs of scikit-learn, and those of a list."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from app.errors import InputError
from benchmarks.style_quality.drawings import CONTENTS, STYLES

LIST = "pairs.txt"

# Every content and every style at least once; "pen" is grey.
DRAWN = (
    ("landscape", "brushwork"),
    ("landscape", "pen"),
    ("tower", "dots"),
    ("tower", "planes"),
    ("bridge", "strokes"),
    ("bridge", "mask"),
    ("bridge", "pen"),
    ("still-life", "planes"),
    ("still-life", "brushwork"),
)
PHOTOGRAPHS = (
    ("china", "brushwork"),
    ("china", "pen"),
    ("china", "mask"),
    ("flower", "strokes"),
    ("flower", "dots"),
)


@dataclass(frozen=True)
class Pair:
    """A content, a style, and a result that somebody else published, if there is one: files."""

    name: str
    content: Path
    style: Path
    published: Path | None = None


def drawn_pairs(folder: Path) -> list[Pair]:
    """Pairs of drawn pictures, whose files are written to a folder."""
    return [_made(content, style, folder) for content, style in DRAWN]


def photograph_pairs(folder: Path) -> list[Pair]:
    """The two photographs of scikit-learn with drawn styles; all files are written to a folder."""
    return [_made(content, style, folder) for content, style in PHOTOGRAPHS]


def listed_pairs(folder: Path) -> list[Pair]:
    """The pairs of a folder: its ``pairs.txt`` has a line ``content style [published]`` for each.

    Names are of files relative to the folder, in quotes if they have spaces; empty lines and what follows a #
    are left out. Raises InputError on ``pairs`` with the line.
    """
    path = folder / LIST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise InputError("pairs", f"{path} cannot be read: {reason}. Write a line for each pair.") from None
    found: list[Pair] = []
    for number, line in enumerate(lines, 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise InputError("pairs", f"{path}, line {number}: {error}.") from None
        if not words:
            continue
        if len(words) not in (2, 3):
            raise InputError(
                "pairs", f"{path}, line {number}: {len(words)} names; write content style [published]."
            )
        files = [folder / word for word in words]
        for file in files:
            if not file.is_file():
                raise InputError("pairs", f"{path}, line {number}: there is no file {file}.")
        found.append(Pair(f"{files[0].stem}+{files[1].stem}", *files))
    if not found:
        raise InputError("pairs", f"{path} names no pairs.")
    return found


def choose(pairs: list[Pair], only: str | None) -> list[Pair]:
    """The pairs whose names are given, with commas between them; all without. Raises InputError."""
    by_name = {pair.name: pair for pair in pairs}
    if len(by_name) < len(pairs):
        twice = next(name for name in by_name if sum(pair.name == name for pair in pairs) > 1)
        raise InputError("pairs", f"two pairs are named {twice!r}: rename a file.")
    if only is None:
        return pairs
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in by_name:
            raise InputError("only", f"there is no pair {name!r}. Pairs: {', '.join(by_name)}.")
    return [by_name[name] for name in names]


def _made(content: str, style: str, folder: Path) -> Pair:
    return Pair(f"{content}+{style}", _file(content, folder), _file(style, folder))


def _file(name: str, folder: Path) -> Path:
    """The file of a drawn picture or a photograph, written if it is not there."""
    path = folder / f"{name}.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _picture(name).save(path)
    return path


def _picture(name: str) -> Image.Image:
    drawings = CONTENTS | STYLES
    if name in drawings:
        return drawings[name]()
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image(f"{name}.jpg"))
