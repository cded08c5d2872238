"""What the API says of stored pictures."""

from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel, Field

from app.http.root_path import url_of
from app.http.timestamps import timestamp
from app.images.repository import Image


def content_url(image_id: str) -> str:
    """Where the bytes of a stored picture are."""
    return url_of(f"/v1/images/{image_id}/content")


class ImageView(BaseModel):
    """A stored picture, or a clip."""

    id: str
    name: str | None = Field(description="The name that the file had.")
    url: str = Field(description="Where its bytes are.")
    media_type: str
    bytes: int
    sha256: str
    width: int = Field(description="In pixels, as displayed.")
    height: int = Field(description="In pixels, as displayed.")
    frames: int = Field(description="1 for a picture; those of a clip.")
    created_at: datetime | None

    @classmethod
    def of(cls, image: Image) -> "ImageView":
        """The view of a stored picture."""
        shown = asdict(image) | {"created_at": timestamp(image.created_at)}
        return cls(**shown, url=content_url(image.id))


class ImagePage(BaseModel):
    """Pictures from the newest on."""

    items: list[ImageView]
    next_cursor: str | None = Field(description="Pass as cursor for the next page; null: no more.")
