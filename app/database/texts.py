"""Texts that every database can store."""

import json
from typing import Any


def problem_of_text(value: Any) -> str | None:
    """Why parsed JSON holds text that cannot be stored; None if it can. Raises RecursionError."""
    shown = json.dumps(value, ensure_ascii=False)
    try:
        shown.encode()
    except UnicodeEncodeError:
        return "A text has half of a surrogate pair: escape both halves, or write the character itself."
    # What is left of an escaped backslash is no escape.
    if "\\u0000" in shown.replace("\\\\", ""):
        return "A text has the character U+0000 (NUL): leave it out."
    return None


def is_storable(text: str) -> bool:
    """Whether every database can store a text."""
    return problem_of_text(text) is None
