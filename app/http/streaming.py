"""Answers that are made piece by piece, in threads, as fast as the client takes them."""

from collections.abc import AsyncIterator, Generator

import anyio
from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool


def stream_response(
    pieces: Generator[bytes, None, None], media_type: str, headers: dict[str, str]
) -> StreamingResponse:
    """An answer of pieces, each made when the one before is sent, and only one at a time.

    When the client goes away, the generator is closed, with the files that it has open.
    """
    return StreamingResponse(_in_threads(pieces), headers=headers, media_type=media_type)


async def _in_threads(pieces: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    try:
        async for piece in iterate_in_threadpool(pieces):
            if piece:
                yield piece
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(pieces.close)
