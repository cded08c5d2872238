"""A check of the Host header: the names under which the service may be reached.

Without it a page whose own name is made to resolve to this machine (DNS rebinding) is of the same origin as
the service, and may read, upload and delete.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ServiceError
from app.http.errors import HostNotAllowed, InvalidHost
from app.http.problems import problem_response
from app.settings import Settings

ANY = "*"
_HEADER = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::[0-9]{0,5})?")


def allowed_names(settings: Settings) -> list[str]:
    """The names that the settings allow beside those of loopback; ``*`` is any."""
    if not settings.host_names and not is_loopback(settings.host.lower()):
        return [ANY]
    return [*settings.host_names, settings.host.lower()]


def is_loopback(name: str) -> bool:
    """Whether a name or an address can only be that of the machine itself."""
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback


class AllowedHosts:
    """Answers 421 to a Host that is neither a name of loopback nor among ``names``, 400 to one that is none.

    No other machine can serve a page under a loopback name, so these are safe, and whatever checks the health
    of the service needs no other. ``*.example`` stands for every name that ends with ``.example``.

    Starlette's TrustedHostMiddleware answers with plain text, and knows neither ranges of addresses nor
    requests with two Hosts.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self._any = ANY in names
        self._names = {_canonical(name) for name in names}
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        error = self._error(scope) if scope["type"] == "http" else None
        if error is None:
            await self.app(scope, receive, send)
        else:
            await problem_response(error)(scope, receive, send)

    def _error(self, scope: Scope) -> ServiceError | None:
        hosts = Headers(scope=scope).getlist("host")
        if not hosts and scope.get("http_version") == "1.0":
            return None if self._any else HostNotAllowed("")
        found = _HEADER.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        if found is None or (found[1] and _address(found[1]) is None):
            return InvalidHost()
        name = _canonical(found[1] or found[2])
        return None if self._any or self._is_allowed(name) else HostNotAllowed(name)

    def _is_allowed(self, name: str) -> bool:
        return name in self._names or name.endswith(self._endings) or is_loopback(name)


def _canonical(name: str) -> str:
    address = _address(name)
    return name if address is None else str(address)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
