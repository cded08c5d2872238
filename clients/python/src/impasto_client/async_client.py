"""The client for code that waits in asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from impasto_client._core.connecting import service_url
from impasto_client._core.service import estimate, list_kinds
from impasto_client._core.session import Session
from impasto_client._core.submitting import submit
from impasto_client._core.transport import WaitingTransport
from impasto_client._generated.async_methods import AsyncKinds
from impasto_client._generated.models import Estimate
from impasto_client.async_batch import AsyncBatches
from impasto_client.async_job import AsyncJob
from impasto_client.async_resources import AsyncDatasets, AsyncImages, AsyncJobs, AsyncNetworks
from impasto_client.retries import USUAL, Retries


class AsyncClient(AsyncKinds):
    """A service. It has a method for each kind of job, such as ``style_transfer``.

    ``url`` is that of ``IMPASTO_URL``, or http://127.0.0.1:8000; ``timeout`` is how many seconds a request
    may take; ``headers`` go with each. For one event loop. Close it, or use it
    in an ``async with``.
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
        self._session = Session(WaitingTransport(self.url, timeout, headers or {}), retries)
        self.jobs = AsyncJobs(self._session)
        self.batches = AsyncBatches(self._session)
        self.images = AsyncImages(self._session)
        self.datasets = AsyncDatasets(self._session)
        self.networks = AsyncNetworks(self._session)

    async def _submit(self, kind: str, given: Mapping[str, Any]) -> AsyncJob[Any]:
        return AsyncJob(await submit(self._session, kind, given))

    async def kinds(self) -> list[dict[str, Any]]:
        """Every kind of job that the service has, with the JSON Schema of its params."""
        return await list_kinds(self._session)

    async def estimate(self, kind: str, **params: Any) -> Estimate:
        """What time and memory a job would take; pictures that are files are of no use for that."""
        return await estimate(self._session, kind, params)

    async def close(self) -> None:
        """Close its connections."""
        await self._session.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"
