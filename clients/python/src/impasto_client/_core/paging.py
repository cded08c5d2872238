"""Lists of the service, a page at a time."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from impasto_client._core.session import Session

M = TypeVar("M", bound=BaseModel)


async def pages(
    session: Session, path: str, page: type[M], query: Mapping[str, Any], cursor: str = "cursor"
) -> AsyncGenerator[M, None]:
    """Pages of a list, each asked for once the one before is used up; ``cursor`` names their parameter."""
    place = query.get(cursor)
    while True:
        found = await session.get(path, page, **{**query, cursor: place})
        yield found
        place = getattr(found, "next_line" if cursor == "from" else "next_cursor")
        if place is None:
            return
