"""What the API process logs when it stops."""

import asyncio
import logging

import pytest

from app.supervision.api import only_problems


@pytest.mark.parametrize(
    ("message", "error", "logged"),
    [
        (
            "Exception in ASGI application\n",
            asyncio.CancelledError("timeout graceful shutdown exceeded"),
            False,
        ),
        ("Cancel %s running task(s), timeout graceful shutdown exceeded", None, False),
        ("Exception in ASGI application\n", ValueError("wrong"), True),
        ("Started server process", None, True),
    ],
)
def test_event_streams_that_end_with_the_service_are_no_problem(
    message: str, error: BaseException | None, logged: bool
) -> None:
    information = None if error is None else (type(error), error, None)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, message, (), information)
    assert only_problems(record) is logged
