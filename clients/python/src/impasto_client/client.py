"""The client for code that blocks."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from impasto_client._core.connecting import service_url
from impasto_client._core.driving import run
from impasto_client._core.service import estimate, list_kinds
from impasto_client._core.session import Session
from impasto_client._core.submitting import submit
from impasto_client._core.transport import BlockingTransport
from impasto_client._generated.methods import Kinds
from impasto_client._generated.models import Estimate
from impasto_client.batch import Batches
from impasto_client.job import Job
from impasto_client.resources import Datasets, Images, Jobs, Networks
from impasto_client.retries import USUAL, Retries


class Client(Kinds):
    """A service. It has a method for each kind of job, such as ``style_transfer``.

    ``url`` is that of ``IMPASTO_URL``, or http://127.0.0.1:8000; ``timeout`` is how many seconds a request
    may take; ``headers`` go with each. May be used by several threads. Close it, or use it in a ``with``.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = 30.0,
        retries: Retries = USUAL,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url = service_url(url)
        self._session = Session(BlockingTransport(self.url, timeout, headers or {}), retries)
        self.jobs = Jobs(self._session)
        self.batches = Batches(self._session)
        self.images = Images(self._session)
        self.datasets = Datasets(self._session)
        self.networks = Networks(self._session)

    def _submit(self, kind: str, given: Mapping[str, Any]) -> Job[Any]:
        return Job(run(submit(self._session, kind, given)))

    def kinds(self) -> list[dict[str, Any]]:
        """Every kind of job that the service has, with the JSON Schema of its params."""
        return run(list_kinds(self._session))

    def estimate(self, kind: str, **params: Any) -> Estimate:
        """What time and memory a job would take; pictures that are files are of no use for that."""
        return run(estimate(self._session, kind, params))

    def close(self) -> None:
        """Close its connections."""
        run(self._session.transport.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"
