"""Errors of batches."""

from http import HTTPStatus

from app.errors import ServiceError

_BATCH_ID = "0198c0de-0000-7000-8000-000000000000"


class UnknownBatch(ServiceError):
    """There is no batch of that id."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_batch"
    example = (_BATCH_ID,)

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"There is no batch {batch_id}: `GET /v1/batches` lists those that there are.")
