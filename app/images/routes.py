"""Pictures that people upload."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, File, Path, Request, Response, UploadFile

from app.http.errors import InvalidRequest, RequestTooLarge
from app.http.file_responses import FILE_ERRORS, send_file
from app.http.problems import documented
from app.http.services import Here
from app.images import repository as pictures
from app.images import uploads
from app.images.errors import ImageInUse, NoThumbnail, UnknownImage
from app.images.schemas import ImageView
from app.images.thumbnails import SideQuery, send_thumbnail
from app.jobs.repository import jobs_in_need_of
from app.media import PictureError
from app.storage import StorageFull

router = APIRouter(prefix="/v1/images", tags=["images"])

ImageId = Annotated[str, Path(description="Id of an uploaded picture.")]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(RequestTooLarge, PictureError, InvalidRequest, StorageFull),
)
def upload_image(
    here: Here,
    response: Response,
    image: Annotated[UploadFile, File(description="A PNG, JPEG or WebP file; or a clip: MP4, WebM, GIF.")],
) -> ImageView:
    """Upload a picture, or a short clip, for as many jobs as you like."""
    info = uploads.inspect(here, image, "image", clips=True)
    stored = uploads.store(here, image, info)
    response.headers["Location"] = f"/v1/images/{stored.id}"
    return ImageView.of(stored)


@router.get("/{image_id}", responses=documented(UnknownImage))
def get_image(here: Here, image_id: ImageId) -> ImageView:
    """What is known of an uploaded picture."""
    return ImageView.of(pictures.get_image(here.engine, image_id))


@router.get(
    "/{image_id}/content",
    response_class=Response,
    responses={
        **documented(UnknownImage, *FILE_ERRORS, NoThumbnail, InvalidRequest),
        200: {"content": {"image/*": {}}, "description": "The file."},
    },
)
@router.head("/{image_id}/content", include_in_schema=False)
def get_image_content(here: Here, request: Request, image_id: ImageId, side: SideQuery = None) -> Response:
    """The uploaded file, byte for byte; or a small copy of it."""
    image = pictures.get_image(here.engine, image_id)
    key = pictures.image_key(image.id)
    if side is not None:
        return send_thumbnail(here.storage, key, image.media_type, image.sha256, side, request)
    return send_file(here.storage, key, image.media_type, image.sha256, request)


@router.delete(
    "/{image_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownImage, ImageInUse),
)
def delete_image(here: Here, image_id: ImageId) -> None:
    """Delete an uploaded picture, unless a job that has not ended needs it."""
    image = pictures.get_image(here.engine, image_id)
    needed = jobs_in_need_of(here.engine, image.id)
    if needed:
        raise ImageInUse(needed)
    uploads.discard(here, image.id)
