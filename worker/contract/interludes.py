"""The moments between the parts of a step, in which a computation is seen to go on, and can be ended.

A part is a tile, a batch of pictures that are judged, an evaluation of a loss, a frame: what takes minutes at
most. A computation says so after each, or before; whoever runs it may listen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


def between_parts() -> None:
    """Tell those who listen that a part is done. What they raise ends the computation."""
    for listener in _listeners.get():
        listener()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have ``listener`` called at each :func:`between_parts` in the context, after those around it."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
