"""The browser page at ``/`` and its static files.

Static files are served under ``/static/<hash of them all>/``: modules name each other relatively, so one
hash in the page's URLs covers every import, and an update is seen at once although browsers keep the files.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.http.root_path import url_of

STATIC = Path(__file__).with_name("static")

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(directory=Path(__file__).with_name("templates"))


@lru_cache(maxsize=1)
def _hash_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = sha256()
    for path, _, size in files:
        digest.update(f"{path.relative_to(STATIC)} {size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def static_version() -> str:
    """Hash of the names and bytes of all static files; read again only when one has changed on disk."""
    stats = ((path, path.stat()) for path in sorted(STATIC.rglob("*")) if path.is_file())
    return _hash_of(tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats))


class VersionedStaticFiles(StaticFiles):
    """Static files below a first path segment that names their version.

    Only the current version may be kept by a cache: under an older name (a page that was open during an
    update) the current files are served, to be asked for again next time.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file behind ``<version>/<name>``, with the caching that its version allows."""
        version, _, name = Path(path).as_posix().partition("/")
        response = await super().get_response(name, scope)
        current = version == await to_thread.run_sync(static_version)
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if current else "public, no-cache"
        )
        return response


@router.api_route("/", methods=["GET", "HEAD"])
def page(request: Request) -> HTMLResponse:
    """The page. It holds no values of its own: every param comes from ``GET /v1/kinds``."""
    response = _templates.TemplateResponse(
        request, "index.html", {"static": url_of(f"/static/{static_version()}")}
    )
    response.headers["Cache-Control"] = "no-cache"
    return response


def mount_static(app: FastAPI) -> None:
    """Serve the page's static files under ``/static``."""
    app.mount("/static", VersionedStaticFiles(directory=STATIC), name="static")
