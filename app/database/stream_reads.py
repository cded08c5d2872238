"""Reads of event streams, in a few threads of their own."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio import to_thread

P = ParamSpec("P")
T = TypeVar("T")

# Hundreds of streams are opened at once when a service is back, and read at once when a job changes. With as
# many threads and connections as there are for all, other requests would wait for them, and 7 MB more would
# stay.
_threads = anyio.CapacityLimiter(4)


async def read_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function returns that reads the database for a stream."""
    return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=_threads)
