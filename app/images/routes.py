"""Routes of uploaded pictures and clips."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, File, Path, Query, Request, Response, UploadFile
from pydantic import AfterValidator

from app.database.keys import KeyReused
from app.datasets.repository import datasets_with_image
from app.http.bodies import FORM_ERRORS, LimitedRoute
from app.http.errors import FileGone, InvalidRequest
from app.http.file_responses import FILE_ANSWERS, FILE_ERRORS
from app.http.idempotency import IdempotencyKey
from app.http.ids import ID_SCHEMA, Cursor, require_id
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import ServicesDep
from app.images import repository
from app.images.errors import ImageInSet, ImageInUse, NoThumbnail, UnknownImage
from app.images.repository import image_key
from app.images.schemas import ImagePage, ImageView
from app.images.thumbnails import SideQuery, Stored, send_stored
from app.jobs.recipes import reusable
from app.jobs.schemas import RecipeView
from app.jobs.uploads import list_uploads, remove_image
from app.media import PictureError, read_recipe
from app.storage import StorageFull

PATH = "/v1/images"
router = APIRouter(prefix=PATH, tags=["images"], route_class=LimitedRoute)

ImageId = Annotated[
    str,
    Path(description="Id of an uploaded picture.", json_schema_extra=ID_SCHEMA),
    AfterValidator(require_id(UnknownImage)),
]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(*FORM_ERRORS, PictureError, InvalidRequest, KeyReused, StorageFull),
)
def upload_image(
    services: ServicesDep,
    response: Response,
    image: Annotated[
        UploadFile,
        File(description="A PNG, JPEG, WebP, HEIC, AVIF, TIFF or BMP file; or a clip: MP4, WebM, GIF."),
    ],
    idempotency_key: IdempotencyKey = None,
) -> ImageView:
    """Upload a picture, or a short clip, for as many jobs as you like.

    Each upload is a picture of its own, also of bytes that are here already, so that whoever sent it may
    delete it; a file that comes with a job becomes the picture with its name and bytes, if there is one.
    """
    info = services.images.inspect(image, "image", clips=True)
    stored = services.images.store(image, info, idempotency_key)
    response.headers["Location"] = url_of(f"{PATH}/{stored.id}")
    return ImageView.of(stored)


@router.get("", responses=documented(InvalidRequest))
def list_images(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Pictures a page.")] = 20,
    cursor: Cursor = None,
    unused: Annotated[
        bool | None,
        Query(description="True: only those that no job, ended or not, and no set names. False: the others."),
    ] = None,
) -> ImagePage:
    """Uploaded pictures and clips from the newest on. Those that came with a set are listed with it."""
    found = list_uploads(services.engine, limit=limit + 1, before=cursor, unused=unused)
    shown = found[:limit]
    return ImagePage(
        items=[ImageView.of(image) for image in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{image_id}", responses=documented(UnknownImage))
def get_image(services: ServicesDep, image_id: ImageId) -> ImageView:
    """The properties of an uploaded picture."""
    return ImageView.of(repository.get_image(services.engine, image_id))


@router.get(
    "/{image_id}/content",
    response_class=Response,
    responses={
        **documented(UnknownImage, *FILE_ERRORS, NoThumbnail, InvalidRequest),
        **FILE_ANSWERS,
    },
)
@router.head("/{image_id}/content", include_in_schema=False)
async def get_image_content(
    services: ServicesDep, request: Request, image_id: ImageId, side: SideQuery = None
) -> Response:
    """The uploaded file, byte for byte; or a small copy of it."""

    def find() -> Stored:
        image = repository.get_image(services.engine, image_id)
        return Stored(image_key(image.id), image.media_type, image.sha256)

    return await send_stored(services.storage, find, side, request)


@router.get("/{image_id}/recipe", responses=documented(UnknownImage, FileGone))
def get_image_recipe(services: ServicesDep, image_id: ImageId) -> RecipeView | None:
    """How an uploaded picture was made, if a job made it, as far as it can be made again here; else null."""
    image = repository.get_image(services.engine, image_id)
    if image.is_clip:
        return None
    try:
        with services.storage.open(image_key(image.id)) as file:
            recipe = read_recipe(file)
    except FileNotFoundError:
        raise FileGone from None
    found = None if recipe is None else reusable(services.engine, recipe)
    return None if found is None else RecipeView.of(found)


@router.delete(
    "/{image_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownImage, ImageInUse, ImageInSet),
)
def delete_image(services: ServicesDep, image_id: ImageId) -> None:
    """Delete an uploaded picture, unless a set holds it or a job that has not ended needs it."""
    try:
        remove_image(services.engine, services.storage, image_id)
    except ImageInSet:
        raise ImageInSet(datasets_with_image(services.engine, image_id)) from None
