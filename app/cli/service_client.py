"""What commands share that ask a running service."""

import ipaddress
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

from app.cli.messages import fail
from app.cli.serve import read_settings
from app.supervision.startup import local_url

Url = Annotated[
    str | None,
    typer.Option(envvar="IMPASTO_URL", help="URL of the service; by default host and port of the settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# Seconds between attempts to reach a service that stopped answering.
RETRY_SECONDS = 1.0
# Of a service that is busy, starts or stops.
_PASSING = frozenset(
    {
        httpx.codes.TOO_MANY_REQUESTS,
        httpx.codes.BAD_GATEWAY,
        httpx.codes.SERVICE_UNAVAILABLE,
        httpx.codes.GATEWAY_TIMEOUT,
    }
)
# The longest of its own waits that is waited for, in seconds.
_MAX_WAIT = 60.0


@contextmanager
def service(url: str | None) -> Iterator[httpx.Client]:
    """A client of the service; exits with a message if none answers."""
    if url is None:
        settings = read_settings()
        url = local_url(settings.host, settings.port)
    try:
        with httpx.Client(base_url=url, timeout=30, trust_env=not _is_here(url)) as client:
            yield client
    except (httpx.TransportError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        fail(f"No service answers at {url} ({error}). Name another with --url or IMPASTO_URL.")


def _is_here(url: str) -> bool:
    """Whether a URL is one of this machine, which no proxy of the environment reaches."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def path_below(client: httpx.Client, url: str) -> str:
    """A URL that the service answered with, relative to the client's; a proxy may show it under a path."""
    root = client.base_url.path.rstrip("/")
    return url.removeprefix(root) if url.startswith(f"{root}/") else url


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer; exits with the detail of a problem, or if no service of Impasto gave it."""
    if response.next_request is not None:
        moved = response.next_request.url
        fail(f"{response.url} sends on to {moved}: name the service there with --url or IMPASTO_URL.")
    if response.is_error:
        try:
            detail = response.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = response.text[:200]
        fail(f"{response.status_code}: {detail}")
    try:
        values = response.json() if response.content else {}
    except ValueError:
        values = None
    if not isinstance(values, dict):
        fail(f"{response.url} is not of Impasto: name its service with --url or IMPASTO_URL.")
    return values


def insist(send: Callable[[], httpx.Response], say: Callable[[str], object]) -> httpx.Response:
    """The answer to a request, sent again for as long as the service does not answer, or is busy.

    ``say`` is told so.
    """
    while True:
        wait = RETRY_SECONDS
        try:
            response = send()
            if response.status_code not in _PASSING:
                return response
            say(f"the service is busy ({response.status_code}), trying again")
            after = response.headers.get("Retry-After", "")
            wait = min(float(after), _MAX_WAIT) if after.isdecimal() else wait
        except httpx.TransportError as error:
            say(f"the service does not answer ({error}), trying again")
        time.sleep(wait)


def check_stream(response: httpx.Response) -> None:
    """Raise httpx.ReadError if the service is busy; exit with the detail of any other problem."""
    if response.status_code in _PASSING:
        raise httpx.ReadError(f"it is busy: {response.status_code}")
    if not response.is_success:
        response.read()
        answer(response)


def events(client: httpx.Client, path: str, last_id: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Events (id, type, data) of a stream, from the one after ``last_id`` to ``done``.

    Raises httpx.TransportError if the stream ends before; exits with the detail of a problem.
    """
    headers = {"Last-Event-ID": last_id} if last_id else {}
    # Longer than the interval of a stream's heartbeats.
    with client.stream("GET", path, headers=headers, timeout=60) as response:
        check_stream(response)
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
                if fields["event"] == "done":
                    return
                fields = {}
        if response.status_code == httpx.codes.OK:
            raise httpx.ReadError("the stream ended early")
