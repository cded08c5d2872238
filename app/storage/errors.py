"""Errors of the storage."""

from http import HTTPStatus

from app.errors import ServiceError


class StorageFull(ServiceError):
    """The disk or its quota is full, or nearly. Nothing was stored."""

    status, type, title = HTTPStatus.INSUFFICIENT_STORAGE, "storage_full", "The disk is full"
    example = ("176,160,768 of 200,000,000 bytes that must stay free are missing",)

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The disk of the service is full ({what}). Delete old jobs, and uploads that "
            "nothing needs: GET /v1/images?unused=true lists them."
        )
        self.what = what


class StorageUnavailable(ServiceError):
    """The storage has not answered for a while."""

    status, type, title = HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", "The storage is unavailable"
    example = ("[Errno 5] Input/output error",)

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"A file could not be read or written ({reason}). Retry the job once that is mended."
        )
