"""What the API says of stored pictures."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.http.timestamps import timestamp
from app.images.repository import Image


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
        return cls(
            id=image.id,
            name=image.name,
            url=f"/v1/images/{image.id}/content",
            media_type=image.media_type,
            bytes=image.bytes,
            sha256=image.sha256,
            width=image.width,
            height=image.height,
            frames=image.frames,
            created_at=timestamp(image.created_at),
        )
