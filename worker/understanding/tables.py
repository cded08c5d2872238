"""Numbers as files: comma-separated values, and NumPy's arrays."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.contract.steps import File


def csv_file(header: Sequence[str], rows: Iterable[Sequence[object]]) -> File:
    """A table of comma-separated values, with a line of names above."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return File(text.getvalue().encode(), "text/csv", ".csv")


def npz_file(arrays: Mapping[str, NDArray[Any]]) -> File:
    """Arrays by name, compressed."""
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    return File(data.getvalue(), "application/zip", ".npz")
