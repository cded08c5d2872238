"""Tables of a result on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

# The entry of a result that needs no title.
MAIN = "table"
# Where the output is no terminal, which says how wide it is: for programs and files.
_WIDE = 200
# In characters: a line of a list is not cut.
_LINE_WIDTH = 116


def print_table(name: str, entry: Any, columns: Sequence[str] = ()) -> None:
    """Print an entry of a result as a table, with ``name`` above unless it is the main one.

    A list of objects has a column for each key (or those in ``columns``), one of numbers aligned at its
    right; an object has a line for each key. Nothing is printed for an entry that is empty or neither.
    """
    title = None if name == MAIN else _words(name)
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    match entry:
        case [Mapping(), *_]:
            columns = columns or list(dict.fromkeys(key for row in entry for key in row))
            for column in columns:
                table.add_column(_words(column), justify="right" if _is_numeric(entry, column) else "left")
            for row in entry:
                table.add_row(*(_cell(row.get(column)) for column in columns))
        case {**pairs} if pairs:
            table.show_header = False
            table.add_column()
            table.add_column(justify="right")
            for key, value in pairs.items():
                table.add_row(_words(str(key)), _cell(value))
        case _:
            return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)


def print_list(table: Table) -> None:
    """Print a list whose lines are not cut at the width of the terminal, so that ids can be copied.

    Names that clients gave are printed as they are, though they may look like markup.
    """
    width = max(Console().width, _LINE_WIDTH)
    Console(width=width, markup=False, emoji=False).print(table)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _is_numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    values = [row.get(column) for row in rows]
    return all(isinstance(value, int | float) or value is None for value in values)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case list() if all(isinstance(each, int) for each in value):
            return " × ".join(map(str, value))
        case list():
            return ", ".join(map(_cell, value))
        case _:
            return str(value)
