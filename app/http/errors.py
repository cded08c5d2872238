"""Errors of requests as such, whatever they are about."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.errors import MAX_ERRORS, FieldError, ServiceError

# Python 3.13 renamed some statuses; a problem's type should not depend on that.
_HTTP_TYPES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}

_JSON_OR_FORM = "application/json with image ids, or multipart/form-data with pictures and a field `params`"


class InvalidRequest(ServiceError):
    """A query parameter, header or field of the body is wrong."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request"
    example = ("limit: Input should be at most 100.", [FieldError("limit", "Input should be at most 100")])

    def __init__(self, detail: str, errors: list[FieldError]) -> None:
        super().__init__(detail, errors=errors)

    @classmethod
    def at(cls, field: str, detail: str) -> "InvalidRequest":
        """The error of one field."""
        return cls(detail, [FieldError(field, detail)])

    @classmethod
    def of(cls, error: RequestValidationError) -> "InvalidRequest":
        """What FastAPI found."""
        errors = [
            FieldError(".".join(str(part) for part in e["loc"][1:]) or str(e["loc"][0]), e["msg"])
            for e in error.errors()[:MAX_ERRORS]
        ]
        return cls(" ".join(f"{e.field}: {e.detail}." for e in errors), errors)


class BodyError(ServiceError, HTTPException):
    """A body that cannot be read. An HTTPException, so that FastAPI lets it through while it reads one."""

    def __init__(
        self, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        ServiceError.__init__(self, detail, field=field, headers=headers)
        self.status_code = self.status


class InvalidJson(BodyError):
    """The body, or its field ``params``, is not JSON."""

    status, type = HTTPStatus.BAD_REQUEST, "invalid_json"
    example = ("params", "Expecting value: line 1 column 1 (char 0)")

    def __init__(self, field: str, reason: object) -> None:
        super().__init__(f"This is no JSON: {reason}.", field=field)


class UnusableText(BodyError):
    """The JSON has a text that cannot be stored."""

    status, type = HTTPStatus.BAD_REQUEST, "invalid_json"
    example = ("params", "A text has the character U+0000 (NUL): leave it out.")

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, field=field)


class NotAnObject(BodyError):
    """The body, or its field ``params``, is JSON but not an object."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_json"
    example = ("params",)

    def __init__(self, field: str) -> None:
        super().__init__('A JSON object is needed, such as {"size": 256}.', field=field)


class TooManyFields(BodyError):
    """A JSON object has more fields than anything here takes."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_json"
    example = ("params", 80_000, 100)

    def __init__(self, field: str, count: int, most: int) -> None:
        super().__init__(f"The object has {count:,} fields; at most {most} are taken.", field=field)


class NotAFile(ServiceError):
    """A field of a form other than ``params`` is text."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_params"
    example = ("size",)

    def __init__(self, field: str) -> None:
        super().__init__(
            f"{field!r} is not a file: put everything except the pictures into the JSON field `params`.",
            field=field,
        )


class UnsupportedBody(ServiceError):
    """The body is of no media type that the route takes."""

    status, type = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"
    example = ("text/plain",)

    def __init__(self, media_type: str, accepted: str = _JSON_OR_FORM) -> None:
        super().__init__(f"Send {accepted}; the request says {media_type or 'nothing'}.")


class EncodedBody(BodyError):
    """The body is compressed, or encoded in another way."""

    status, type = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"
    example = ("gzip",)

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"The body is encoded as {encoding[:40]!r}: send it as it is, without the header "
            "Content-Encoding.",
            field="Content-Encoding",
            headers={"Accept-Encoding": "identity", "Connection": "close"},
        )


class InvalidForm(BodyError):
    """The body cannot be read as a form."""

    status, type = HTTPStatus.BAD_REQUEST, "bad_request"
    example = ("it ends before its last boundary",)

    def __init__(self, reason: str, field: str = "body") -> None:
        super().__init__(
            f"This is no multipart/form-data: {reason}. Let an HTTP client make the form and its header "
            "Content-Type, as `curl -F` does.",
            field=field,
        )


class RepeatedField(BodyError):
    """A field came several times that is taken once."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "repeated_field"
    example = ("params", 2)

    def __init__(self, field: str, count: int) -> None:
        super().__init__(f"{field!r} came {count} times: send it once.", field=field)


class IncompleteBody(BodyError):
    """The body broke off. Nothing was stored."""

    status, type = HTTPStatus.BAD_REQUEST, "bad_request"
    example = ()

    def __init__(self) -> None:
        super().__init__("The body broke off before its end: send it again.")


class NulCharacter(ServiceError):
    """A text of the request has a character that PostgreSQL cannot store."""

    status, type = HTTPStatus.BAD_REQUEST, "bad_request"
    example = ()

    def __init__(self) -> None:
        super().__init__("A text in the request has the character U+0000 (NUL): leave it out.")


class RequestTooLarge(BodyError):
    """The files have more bytes than the limit."""

    status, type = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large"
    example = (100_000_000,)

    def __init__(self, max_bytes: int) -> None:
        detail = f"A request may have {max_bytes:,} bytes: send smaller or fewer files."
        super().__init__(detail, headers={"Connection": "close"})


class JsonTooLarge(BodyError):
    """The body, or its field ``params``, has more bytes than JSON may have."""

    status, type = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large"
    example = (1_000_000,)

    def __init__(self, max_bytes: int, field: str | None = None) -> None:
        detail = f"JSON may have {max_bytes:,} bytes; files are sent as multipart/form-data."
        super().__init__(detail, field=field, headers={"Connection": "close"})


class InvalidHost(ServiceError):
    """The header Host cannot be read."""

    status, type = HTTPStatus.BAD_REQUEST, "bad_request"
    example = ()

    def __init__(self) -> None:
        super().__init__(
            "A request needs exactly one Host header: a name or an address, and perhaps a port.", field="Host"
        )


class HostNotAllowed(ServiceError):
    """The service is not to be reached under this name.

    421, since it is the name that the service does not answer for (RFC 9110, 15.5.20); 400 is for a Host that
    cannot be read.
    """

    status, type = HTTPStatus.MISDIRECTED_REQUEST, "host_not_allowed"
    example = ("elsewhere.example",)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The name {name[:255]!r} is none of this service's: use another, or add it to the setting "
            "IMPASTO_ALLOWED_HOSTS."
        )


class CrossOrigin(ServiceError):
    """A page of another site sent the request."""

    status, type = HTTPStatus.FORBIDDEN, "cross_origin"
    example = ("https://elsewhere.example",)

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Requests from pages of {origin[:255]} are not accepted. IMPASTO_ALLOWED_ORIGINS names "
            "the origins whose pages may send them."
        )


class FileGone(ServiceError):
    """The file of the URL has been deleted."""

    status, type = HTTPStatus.NOT_FOUND, "file_gone"
    example = ()

    def __init__(self) -> None:
        super().__init__("The file of this URL was deleted.")


class RangeNotSatisfiable(ServiceError):
    """The range asked for lies outside the file."""

    status, type = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "range_not_satisfiable"
    example = ("bytes=2000-", 1000)

    def __init__(self, asked: str, size: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(
            f"The file has {size} bytes; the range asked for is {asked!r}.",
            headers={**(headers or {}), "Content-Range": f"bytes */{size}"},
        )


class DatabaseUnavailable(ServiceError):
    """The database does not answer."""

    status, type = HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable"
    example = ()
    retry_seconds = 2

    def __init__(self) -> None:
        super().__init__(
            "The database does not answer at the moment. Nothing was lost; try again soon.",
            headers={"Retry-After": str(self.retry_seconds)},
        )


class FilesUnavailable(ServiceError):
    """A file of the service cannot be read or written now."""

    status, type = HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable"
    title = "The storage is unavailable"
    example = ("Input/output error",)
    retry_seconds = 10

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"A file of the service cannot be read or written at the moment ({reason}). Try again once that "
            "is mended; the service's log says more.",
            headers={"Retry-After": str(self.retry_seconds)},
        )


class InternalError(ServiceError):
    """A fault of the service itself."""

    status, type = HTTPStatus.INTERNAL_SERVER_ERROR, "internal"
    example = ()

    def __init__(self) -> None:
        super().__init__(
            "An internal error occurred; the log of the service has details under this request_id."
        )


class HttpError(ServiceError):
    """What the framework refuses: no such path, no such method."""

    example = (HTTPException(HTTPStatus.NOT_FOUND),)

    def __init__(self, error: HTTPException, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(error.detail), headers={**(error.headers or {}), **(headers or {})})
        self.status = HTTPStatus(error.status_code)
        self.type = _HTTP_TYPES.get(error.status_code, "http_error")
