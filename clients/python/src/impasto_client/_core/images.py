"""Pictures that the service stores."""

from pathlib import Path

from impasto_client._core.calls import Blob
from impasto_client._core.session import Session
from impasto_client._core.uploads import IMAGES, resolve, upload
from impasto_client._generated.models import ImageView
from impasto_client.pictures import Picture


async def store(session: Session, picture: Picture) -> ImageView:
    """Upload a picture, for as many jobs as you like; one that the service has already is looked up."""
    found = await resolve(session, "image", picture)
    if isinstance(found, Blob):
        return await upload(session, found)
    if "/" in found:
        raise ValueError(f"{found} is what a job made, and needs no upload.")
    return await get(session, found)


async def get(session: Session, image_id: str) -> ImageView:
    """The properties of a picture."""
    return await session.get(f"{IMAGES}/{image_id}", ImageView)


async def save(session: Session, image_id: str, path: Path) -> Path:
    """Write the uploaded file."""
    return await session.download(f"{IMAGES}/{image_id}/content", path)


async def delete(session: Session, image_id: str) -> None:
    """Delete a picture."""
    await session.delete(f"{IMAGES}/{image_id}")
