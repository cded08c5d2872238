"""What lines of the log are about, beside their messages: the request, the job or the batch.

The fields of a context are those of its thread, or its task and the threads that it waits for.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

# Of a record of the log: the values of what it is about, by name.
FIELDS = "impasto_fields"
REQUEST_ID = "request_id"
# Ids that clients send have at most so many characters, which is what the database keeps.
MAX_REQUEST_ID = 128

_fields: ContextVar[Mapping[str, str]] = ContextVar(FIELDS, default={})  # noqa: B039


def log_fields() -> Mapping[str, str]:
    """The fields of lines that are logged here and now."""
    return _fields.get()


@contextmanager
def logged_with(**fields: str | None) -> Iterator[None]:
    """Add fields to the lines that are logged in the context; those that are None are left out."""
    token = _fields.set(
        {**_fields.get(), **{name: value for name, value in fields.items() if value is not None}}
    )
    try:
        yield
    finally:
        _fields.reset(token)


def begin_request(request_id: str) -> None:
    """Name the request that this task answers, until the task ends: its errors are logged last of all."""
    _fields.set({REQUEST_ID: request_id})


def current_request_id() -> str | None:
    """The id of the request that is answered here and now, or None."""
    return _fields.get().get(REQUEST_ID)
