"""Routes of uploaded pictures and clips."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, File, Path, Request, Response, UploadFile

from app.datasets.repository import datasets_with_image
from app.http.bodies import LimitedRoute
from app.http.errors import InvalidRequest, RequestTooLarge
from app.http.file_responses import FILE_ERRORS, send_file
from app.http.problems import documented
from app.http.services import ServicesDep
from app.images import repository
from app.images.errors import ImageInSet, ImageInUse, NoThumbnail, UnknownImage
from app.images.schemas import ImageView
from app.images.thumbnails import SideQuery, send_thumbnail
from app.jobs.repository import jobs_in_need_of
from app.media import PictureError
from app.storage import StorageFull

PATH = "/v1/images"
router = APIRouter(prefix=PATH, tags=["images"], route_class=LimitedRoute)

ImageId = Annotated[str, Path(description="Id of an uploaded picture.")]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(RequestTooLarge, PictureError, InvalidRequest, StorageFull),
)
def upload_image(
    services: ServicesDep,
    response: Response,
    image: Annotated[
        UploadFile, File(description="A PNG, JPEG, WebP or TIFF file; or a clip: MP4, WebM, GIF.")
    ],
) -> ImageView:
    """Upload a picture, or a short clip, for as many jobs as you like."""
    info = services.images.inspect(image, "image", clips=True)
    stored = services.images.store(image, info)
    response.headers["Location"] = f"{PATH}/{stored.id}"
    return ImageView.of(stored)


@router.get("/{image_id}", responses=documented(UnknownImage))
def get_image(services: ServicesDep, image_id: ImageId) -> ImageView:
    """The properties of an uploaded picture."""
    return ImageView.of(repository.get_image(services.engine, image_id))


@router.get(
    "/{image_id}/content",
    response_class=Response,
    responses={
        **documented(UnknownImage, *FILE_ERRORS, NoThumbnail, InvalidRequest),
        200: {"content": {"image/*": {}}, "description": "The file."},
    },
)
@router.head("/{image_id}/content", include_in_schema=False)
def get_image_content(
    services: ServicesDep, request: Request, image_id: ImageId, side: SideQuery = None
) -> Response:
    """The uploaded file, byte for byte; or a small copy of it."""
    image = repository.get_image(services.engine, image_id)
    stored = (services.storage, repository.image_key(image.id), image.media_type, image.sha256)
    return send_file(*stored, request) if side is None else send_thumbnail(*stored, side, request)


@router.delete(
    "/{image_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownImage, ImageInUse, ImageInSet),
)
def delete_image(services: ServicesDep, image_id: ImageId) -> None:
    """Delete an uploaded picture, unless a set holds it or a job that has not ended needs it."""
    image = repository.get_image(services.engine, image_id)
    needed = jobs_in_need_of(services.engine, image.id)
    if needed:
        raise ImageInUse(needed)
    holders = datasets_with_image(services.engine, image.id)
    if holders:
        raise ImageInSet(holders)
    services.images.delete(image.id)
