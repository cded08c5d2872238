"""The error of a file that should be a picture or a clip."""

from http import HTTPStatus
from typing import Literal, Self

from app.errors import FieldError, ServiceError

Reason = Literal[
    "empty",
    "not_a_picture",
    "unsupported_format",
    "bytes",
    "pixels",
    "side",
    "aspect",
    "animated",
    "frames",
    "seconds",
    "truncated",
    "damaged",
]

_TOO_LARGE: set[Reason] = {"bytes", "pixels", "side", "frames", "seconds"}
_UNSUPPORTED: set[Reason] = {"not_a_picture", "unsupported_format"}


class PictureError(ServiceError):
    """The file is not a picture or clip that is accepted.

    ``detail`` says what is wrong and what to do, ``reason`` is the same for a program. :meth:`in_field` adds
    the field that the file was sent in.
    """

    def __init__(self, detail: str, reason: Reason) -> None:
        super().__init__(detail)
        self.reason = reason
        self.type = f"picture_{reason}"
        if self.too_large:
            self.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        elif reason in _UNSUPPORTED:
            self.status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        else:
            self.status = HTTPStatus.UNPROCESSABLE_ENTITY

    @property
    def too_large(self) -> bool:
        """Whether the file has too many bytes, pixels, frames or seconds."""
        return self.reason in _TOO_LARGE

    def in_field(self, field: str) -> Self:
        """The same error, with the field that the file was sent in."""
        self.field, self.errors = field, [FieldError(field, self.detail)]
        return self

    @classmethod
    def examples(cls) -> list[ServiceError]:
        """An example for each status."""
        examples: dict[Reason, str] = {
            "bytes": "The file has 51.4 MB; at most 40 MB are taken. Send a smaller copy, or a JPEG.",
            "unsupported_format": "This is a QOI picture, which is not supported: convert it to JPEG or PNG.",
            "truncated": "The picture is cut off: the end of the file is missing. Copy or download it again.",
        }
        return [cls(detail, reason).in_field("content") for reason, detail in examples.items()]


Noun = Literal["picture", "clip"]


def damaged(what: str, noun: Noun = "picture") -> PictureError:
    """The error for a file with a damaged structure; ``what`` says where, ``noun`` what it should be."""
    editor = "picture" if noun == "picture" else "video"
    detail = f"The {noun} is damaged ({what}). Open it in a {editor} editor, save it again and send that."
    return PictureError(detail, "damaged")


def truncated(noun: Noun = "picture") -> PictureError:
    """The error for a file whose end is missing."""
    detail = f"The {noun} is cut off: the end of the file is missing. Copy or download it again."
    return PictureError(detail, "truncated")


def damaged_clip(what: str) -> PictureError:
    """The error for a clip with a damaged structure; ``what`` says where."""
    return damaged(what, "clip")
