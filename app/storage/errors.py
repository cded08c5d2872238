"""Errors of the storage."""

from http import HTTPStatus

from app.errors import ServiceError


class StorageFull(ServiceError):
    """The disk or its quota is full. Nothing was stored."""

    status, type, title = HTTPStatus.INSUFFICIENT_STORAGE, "storage_full", "The disk is full"
    example = ("no space left for images/0198c0de-0000-7000-8000-000000000000",)

    def __init__(self, what: str) -> None:
        super().__init__(f"The disk of the service is full ({what}). Delete old jobs and pictures.")
        self.what = what
