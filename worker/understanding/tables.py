"""Numbers as files: comma-separated values, and NumPy's arrays."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.contract.steps import File

# What a formula may begin with.
_OF_FORMULAS = ("=", "+", "-", "@", "\t")


def csv_file(header: Sequence[str], rows: Iterable[Sequence[object]]) -> File:
    """A table of comma-separated values, with a line of names above.

    Text that a spreadsheet would compute has an apostrophe in front, by which it is shown as text (OWASP,
    "CSV injection"): labels and names of files are what users, or who made their pictures, wrote.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_inert, header))
    writer.writerows(map(_inert, row) for row in rows)
    return File(text.getvalue().encode(), "text/csv", ".csv")


def _inert(cell: object) -> object:
    """A cell that no spreadsheet computes."""
    if not isinstance(cell, str):
        return cell
    # The writer does not quote it.
    cell = cell.replace("\r", " ")
    if not cell.startswith(_OF_FORMULAS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def npz_file(arrays: Mapping[str, NDArray[Any]]) -> File:
    """Arrays by name, compressed."""
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    return File(data.getvalue(), "application/zip", ".npz")
