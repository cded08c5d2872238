"""From what a caller gives as a picture to an id or a file to send."""

import hashlib
import os
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from impasto_client._core.calls import Blob, Call, Form
from impasto_client._core.handles import ArtifactHandle, JobHandle
from impasto_client._core.session import Session
from impasto_client._generated.kinds import KINDS
from impasto_client._generated.models import ImageView, MemberView
from impasto_client.errors import ApiError, ImpastoError
from impasto_client.pictures import Picture

IMAGES = "/v1/images"
# An id, or `<job id>/<artifact>`; any other text is a path.
REFERENCE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(/[a-z0-9_.-]+)?")


async def resolve(session: Session, field: str, picture: Picture, kind: str = "") -> str | Blob:
    """The id of a picture that the service has, or the file to send, for a param of a ``kind``.

    Waits for the end of a job. Raises FileNotFoundError, TypeError, ValueError that name the field.
    """
    match picture:
        case ImageView():
            return picture.id
        case MemberView():
            return picture.image
        case JobHandle():
            await picture._core.wait()
            goes_on = kind in KINDS and field in KINDS[kind].continued
            return picture.id if goes_on else f"{picture.id}/image"
        case ArtifactHandle():
            return picture._core.reference
        case bytes():
            return Blob(field, _filled(field, picture))
        case str() if is_reference(picture):
            return picture
        case str() | os.PathLike():
            return await session.transport.in_thread(_read, field, Path(picture))
    if hasattr(picture, "read"):
        data = await session.transport.in_thread(picture.read)
        if not isinstance(data, bytes):
            raise TypeError(f"{field}: the file gives text: open it with mode 'rb'.")
        name = getattr(picture, "name", None)
        return Blob(Path(name).name if isinstance(name, str) else field, _filled(field, data))
    raise TypeError(
        f"{field}: a picture is a path, bytes, an open file, an id, an image, a job or an artifact, "
        f"not {type(picture).__name__}."
    )


def is_reference(picture: object) -> bool:
    """Whether a picture is given by what params call it."""
    return isinstance(picture, str) and REFERENCE.fullmatch(picture) is not None


def as_list(pictures: Any) -> list[Any]:
    """A list of one from a single picture."""
    several = isinstance(pictures, Sequence | Iterator) and not isinstance(
        pictures, str | bytes | bytearray | memoryview
    )
    return list(pictures) if several and not hasattr(pictures, "read") else [pictures]


def _read(field: str, path: Path) -> Blob:
    if str(path).startswith(("http:/", "https:/")):
        raise ValueError(f"{field}: {path} is an address: download the picture, and give its path or bytes.")
    path = path.expanduser()
    try:
        return Blob(path.name, _filled(field, path.read_bytes()))
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, f"{field}: there is no such file", str(path)) from None


def _filled(field: str, data: bytes) -> bytes:
    if not data:
        raise ValueError(f"{field}: the file is empty.")
    return data


async def upload(session: Session, blob: Blob) -> ImageView:
    """Store a picture."""
    form = Form([("image", blob)])
    return (await session.send(Call(method="POST", path=IMAGES, body=form))).model(ImageView)


class Uploads:
    """Uploads pictures, each once however often it is used."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[str, str] = {}

    async def reference(self, kind: str, field: str, picture: Any) -> str:
        """The id of a picture, which is uploaded if it has none yet."""
        found = await resolve(self._session, field, picture, kind)
        return found if isinstance(found, str) else await self.store(found)

    async def store(self, found: Blob) -> str:
        """The id of a file, which is uploaded unless it was before."""
        data = found.data if isinstance(found.data, bytes) else found.data.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._ids:
            self._ids[digest] = (await upload(self._session, found)).id
        return self._ids[digest]

    async def value(self, kind: str, field: str, value: Any) -> Any:
        """The value of a param, with ids in the place of files if it is one for pictures."""
        pictures = KINDS[kind].pictures if kind in KINDS else {}
        if field not in pictures or value is None:
            return value
        if not pictures[field]:
            return await self.reference(kind, field, value)
        return [await self.reference(kind, field, each) for each in as_list(value)]

    async def params(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params of a job, with ids in the place of files."""
        return {field: await self.value(kind, field, value) for field, value in params.items()}

    async def remove(self) -> None:
        """Delete what was uploaded."""
        for image_id in self._ids.values():
            with suppress(ImpastoError):
                await self._session.delete(f"{IMAGES}/{image_id}")


@asynccontextmanager
async def uploading(session: Session) -> AsyncGenerator[Uploads, None]:
    """Uploads for a request, which are removed if the service refuses it."""
    uploads = Uploads(session)
    try:
        yield uploads
    except (ApiError, ValueError, TypeError, OSError) as error:
        # Of a failure of the service nobody knows whether it took the request, and needs them.
        if not isinstance(error, ApiError) or error.status < 500:
            await uploads.remove()
        raise
