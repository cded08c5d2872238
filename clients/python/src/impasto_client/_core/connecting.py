"""Where the service is."""

import os

DEFAULT_URL = "http://127.0.0.1:8000"


def service_url(given: str | None) -> str:
    """The URL of the service: the one given, IMPASTO_URL, or this machine's. Raises ValueError."""
    url = given or os.environ.get("IMPASTO_URL") or DEFAULT_URL
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of a service: it begins with http:// or https://.")
    return url.rstrip("/")
