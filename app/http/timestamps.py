"""Times in answers."""

from datetime import UTC, datetime
from typing import overload


@overload
def timestamp(seconds: float) -> datetime: ...
@overload
def timestamp(seconds: None) -> None: ...
@overload
def timestamp(seconds: float | None) -> datetime | None: ...
def timestamp(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a moment in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
