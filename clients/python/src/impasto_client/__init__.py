"""Impasto's Python client: ``Client().style_transfer("photo.jpg", "painting.jpg").save("out.png")``."""

from impasto_client._core.batches import BatchProgress
from impasto_client._core.sse import Event
from impasto_client._generated.kinds import KindName
from impasto_client.async_batch import AsyncBatch, AsyncResult
from impasto_client.async_client import AsyncClient
from impasto_client.async_job import AsyncArtifact, AsyncJob
from impasto_client.batch import Batch, Result
from impasto_client.client import Client
from impasto_client.errors import (
    ApiError,
    Conflict,
    FieldError,
    ImpastoError,
    InvalidBatch,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobFailed,
    NoAnswer,
    NotFound,
    ServiceError,
    TooManyRequests,
    UnexpectedAnswer,
    WaitTimeout,
)
from impasto_client.job import Artifact, Job
from impasto_client.options import Priority
from impasto_client.pictures import LEFT_OUT, Picture, Pictures
from impasto_client.retries import NO_RETRIES, Retries

__version__ = "0.1.0"

__all__ = [
    "LEFT_OUT",
    "NO_RETRIES",
    "ApiError",
    "Artifact",
    "AsyncArtifact",
    "AsyncBatch",
    "AsyncClient",
    "AsyncJob",
    "AsyncResult",
    "Batch",
    "BatchProgress",
    "Client",
    "Conflict",
    "Event",
    "FieldError",
    "ImpastoError",
    "InvalidBatch",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobFailed",
    "KindName",
    "NoAnswer",
    "NotFound",
    "Picture",
    "Pictures",
    "Priority",
    "Result",
    "Retries",
    "ServiceError",
    "TooManyRequests",
    "UnexpectedAnswer",
    "WaitTimeout",
]
