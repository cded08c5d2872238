"""Times in answers."""

from datetime import UTC, datetime


def timestamp(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a moment in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
