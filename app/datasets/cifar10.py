"""The files of CIFAR-10 (Krizhevsky 2009), which its users bring: the binary version.

https://www.cs.toronto.edu/~kriz/cifar.html: six files of 10,000 records, each of which is a byte for the
class and 3,072 for the levels of 32×32 pixels, red, green and blue, row by row. Nothing in them is pickled.
"""

import shutil
import tarfile
from pathlib import Path
from tempfile import mkdtemp

FOLDER = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"
# In the order of the members: the test set is the last.
FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE
# Of each file.
PICTURES = 10_000


class Cifar10Error(Exception):
    """The files are not there, or are not what they should be: says which, and the remedy."""


def problem_of(data_dir: Path) -> str | None:
    """Why the set cannot be made of what lies in the data folder; None if it can."""
    folder, archive = (data_dir / FOLDER).resolve(), (data_dir / ARCHIVE).resolve()
    if folder.is_dir():
        return _problem_of_files(folder)
    if archive.is_file():
        return None
    return (
        f"CIFAR-10 is not here: put {ARCHIVE} of https://www.cs.toronto.edu/~kriz/cifar.html (binary "
        f"version) into {archive.parent}, or its folder {FOLDER}."
    )


def unpacked(data_dir: Path) -> Path:
    """The folder of the files, out of the archive if they are not there. Raises Cifar10Error, OSError."""
    folder = (data_dir / FOLDER).resolve()
    problem = problem_of(data_dir)
    if problem is None and not folder.is_dir():
        _unpack(data_dir / ARCHIVE, folder)
    if problem is not None:
        raise Cifar10Error(problem)
    return folder


def _problem_of_files(folder: Path) -> str | None:
    for name in FILES:
        path = folder / name
        if not path.is_file():
            return f"There is no {path}: put the file {name} of {ARCHIVE} there."
        if path.stat().st_size != PICTURES * RECORD:
            return (
                f"{path} has {path.stat().st_size:,} bytes and not {PICTURES * RECORD:,}: take the file of "
                f"{ARCHIVE}, the binary version."
            )
    return None


def _unpack(archive: Path, folder: Path) -> None:
    """Take the six files, and nothing else, out of the archive. Raises Cifar10Error, OSError."""
    made = Path(mkdtemp(prefix=f"{FOLDER}-", dir=folder.parent))
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for entry in packed:
                directory, _, name = entry.name.rpartition("/")
                if name in FILES and directory.removeprefix("./") == FOLDER and entry.isreg():
                    if entry.size != PICTURES * RECORD:
                        raise Cifar10Error(f"{archive}: {name} has {entry.size:,} bytes. Download it again.")
                    source = packed.extractfile(entry)
                    if source is not None:
                        with source, (made / name).open("wb") as target:
                            shutil.copyfileobj(source, target)
        problem = _problem_of_files(made)
        if problem is not None:
            raise Cifar10Error(f"{archive} has not all of {', '.join(FILES)}. Download it again.")
        made.chmod(0o755)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # unpacked by another process at this moment
                raise
    except (tarfile.TarError, EOFError) as error:
        raise Cifar10Error(f"{archive} cannot be read ({error}). Download it again.") from error
    finally:
        if made.is_dir():
            shutil.rmtree(made)
