"""Ids in paths and queries: what is no id is answered at once, and alike whatever the database."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query

from app.database.ids import ID_PATTERN, is_id
from app.errors import ServiceError

# What OpenAPI says of the id of a path. One of another form is that of nothing.
ID_SCHEMA: dict[str, Any] = {"pattern": f"^{ID_PATTERN}$"}

Cursor = Annotated[
    str | None, Query(pattern=f"^{ID_PATTERN}$", description="next_cursor of the page before.")
]
# A text that every database can store, and find.
STORABLE = r"^[^\x00]*$"


def require_id(unknown: Callable[[str], ServiceError]) -> Callable[[str], str]:
    """A validator that raises ``unknown`` for a text that can be the id of nothing."""

    def check(text: str) -> str:
        if not is_id(text):
            raise unknown(text)
        return text

    return check
