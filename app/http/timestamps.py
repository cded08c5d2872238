"""Times in answers."""

import re
from datetime import UTC, datetime
from typing import Annotated, overload

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+")


def _check_moment(value: object) -> object:
    """Refuse the bare numbers that pydantic takes for seconds, or milliseconds, since 1970."""
    if isinstance(value, str) and not _MOMENT.fullmatch(value):
        raise PydanticCustomError(
            "moment", "Input should be a time with its zone (RFC 3339), such as 2026-01-31T12:00:00Z"
        )
    return value


# A time in a query.
Moment = Annotated[AwareDatetime, BeforeValidator(_check_moment)]


@overload
def timestamp(seconds: float) -> datetime: ...
@overload
def timestamp(seconds: None) -> None: ...
@overload
def timestamp(seconds: float | None) -> datetime | None: ...
def timestamp(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a moment in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
