"""Numbers as files."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from worker.understanding.tables import csv_file

FORMULAS = ("=", "+", "-", "@", "\t")


def test_text_that_a_spreadsheet_would_compute_is_shown_as_text() -> None:
    rows = [["=1+1", -1, "-1.5"], ["@SUM(A1)", 2.5, "+49 30"], ["a=b", "", "-cmd|' /C calc'!A0"]]
    assert csv_file(["label", "n", "other"], rows).data.decode() == (
        "label,n,other\n'=1+1,-1,-1.5\n'@SUM(A1),2.5,'+49 30\na=b,,'-cmd|' /C calc'!A0\n"
    )


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_no_text_is_a_formula_and_none_is_lost(cells: list[str]) -> None:
    (_, read) = csv.reader(io.StringIO(csv_file(["a", "b"], [cells]).data.decode(), newline=""))
    for given_cell, found in zip(cells, read, strict=True):
        kept = given_cell.replace("\r", " ")
        assert found in (kept, f"'{kept}")
        assert not found.startswith(FORMULAS) or float(found) is not None
