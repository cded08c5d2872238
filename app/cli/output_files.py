"""Output files of the command line, written atomically."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.cli.messages import fail_on

# The usual mode of a new file; a temporary file is private.
_MODE = 0o666
# Of temporary files; that of the file that they become may be too long for more.
_PREFIX = ".impasto-"
# Bytes of a name, for all usual file systems.
_MAX_NAME = 255


def check_output(option: str, path: Path, endings: Sequence[str] = (".png",)) -> None:
    """Exit with a message that names the option if no file of these formats can be written to ``path``."""
    if path.suffix.lower() not in endings:
        formats = " or ".join(endings)
        fail_on([(option, f"{path} must end in {formats}: that is the format it is written in.")])
    try:
        target = _target_of(path)
        if target.is_dir():
            fail_on([(option, f"{path} is a folder.")])
        if not target.parent.is_dir():
            fail_on([(option, f"There is no folder {target.parent if path.is_symlink() else path.parent}.")])
        if not os.access(target.parent, os.W_OK):
            fail_on([(option, f"The folder {target.parent} cannot be written to.")])
        if not target.exists():
            target.touch()
            target.unlink()
    except (OSError, ValueError) as error:
        # ValueError: the name has a character that no file can have.
        reason = getattr(error, "strerror", None) or error
        fail_on([(option, f"{path} cannot be written: {reason}. Choose another name.")])


def require_apart(option: str, path: Path, inputs: Iterable[Path]) -> None:
    """Exit with a message that names the option if ``path`` is one of the files that it is made from."""
    if any(_is_same(path, each) for each in inputs):
        fail_on([(option, f"{path} is made from this file, which would be lost: choose another name.")])


def beside(path: Path, name: str, ending: str) -> Path:
    """The path of another file of the same job, with as much of the name of ``path`` as there is room for."""
    stem = path.stem
    while stem and len(os.fsencode(f"{stem}-{name}{ending}")) > _MAX_NAME:
        stem = stem[:-1]
    return path.with_name(f"{stem}-{name}{ending}")


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file under a temporary name and rename it."""
    with replacing(path) as file:
        file.writelines([data] if isinstance(data, bytes) else data)


@contextmanager
def replacing(path: Path, temporaries: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write that becomes ``path`` at the end of the context, and is deleted after an error.

    Until then it is in ``temporaries``, a folder of the same disk; by default in that of ``path``, and where
    that is a link the file that it leads to is written.
    """
    path = _target_of(path) if temporaries is None else path
    descriptor, temporary = tempfile.mkstemp(dir=temporaries or path.parent, prefix=_PREFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _MODE & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _target_of(path: Path) -> Path:
    """The path without links, which a rename would replace."""
    return Path(os.path.realpath(path))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False  # one of them is not there


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
