"""What commands share that ask a running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

from app.cli.messages import fail
from app.cli.serve import read_settings

Url = Annotated[
    str | None,
    typer.Option(envvar="IMPASTO_URL", help="URL of the service; by default host and port of the settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def service(url: str | None) -> Iterator[httpx.Client]:
    """A client of the service; exits with a message if none answers."""
    if url is None:
        settings = read_settings()
        url = f"http://{settings.host}:{settings.port}"
    try:
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client
    except (httpx.TransportError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        fail(f"No service answers at {url} ({error}). Name another with --url or IMPASTO_URL.")


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer; exits with the detail of a problem."""
    if response.is_error:
        try:
            detail = response.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = response.text[:200]
        fail(f"{response.status_code}: {detail}")
    values: dict[str, Any] = response.json() if response.content else {}
    return values
