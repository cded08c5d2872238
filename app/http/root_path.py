"""The path under which a proxy shows the service: /impasto, or nothing.

Inside, every route has the path that it is documented with; only what is sent out names the root.
"""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

_root: ContextVar[str] = ContextVar("root_path", default="")


def url_of(path: str) -> str:
    """The path of a URL of this service, as whoever sent the present request has to write it."""
    return _root.get() + path


def route_path(scope: Scope) -> str:
    """The path of a request as routes write it, without the root."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class RootPath:
    """Takes requests below ``root_path`` and those from which a proxy has removed it already for the same.

    The path of a scope then begins with its ``root_path``, as ASGI wants it.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the root before the path, unless it is there."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        root, path = self.root_path, scope["path"]
        if path != root and not path.startswith(f"{root}/"):
            raw = scope.get("raw_path") or path.encode()
            scope = {**scope, "path": root + path, "raw_path": root.encode() + raw}
        elif path == root:
            scope = {**scope, "path": f"{root}/"}
        token = _root.set(root)
        try:
            await self.app({**scope, "root_path": root}, receive, send)
        finally:
            _root.reset(token)
