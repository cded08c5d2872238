"""Errors of stored pictures."""

from collections.abc import Sequence
from http import HTTPStatus

from app.errors import ServiceError


class UnknownImage(ServiceError):
    """There is no stored picture of that id."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_image"
    example = ("0198c0de-0000-7000-8000-000000000000",)

    def __init__(self, image_id: str) -> None:
        super().__init__(f"There is no image {image_id}.")


class ImageInUse(ServiceError):
    """Jobs that have not ended need the picture."""

    status, type = HTTPStatus.CONFLICT, "image_in_use"
    example = (["0198c0de-0000-7000-8000-000000000001"],)

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(
            f"Jobs that have not ended need this picture: {', '.join(job_ids[:5])}. "
            "Cancel them first, or wait."
        )


class ImageInSet(ServiceError):
    """A set holds the picture."""

    status, type = HTTPStatus.CONFLICT, "image_in_set"
    example = (["birds"],)

    def __init__(self, names: Sequence[str] = ()) -> None:
        shown = f"Sets hold this picture: {', '.join(names[:5])}." if names else "A set holds this picture."
        super().__init__(f"{shown} Delete those sets first.")


class NoThumbnail(ServiceError):
    """There is no small copy of the file: it is not a picture, or cannot be decoded."""

    status, type = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "no_thumbnail"
    example = ("A file of the type application/json has no small copy: leave out side.",)

    def __init__(self, detail: str) -> None:
        super().__init__(detail, field="side")
