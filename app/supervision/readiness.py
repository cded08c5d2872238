"""How a child tells its supervisor that it is ready: by a byte in a pipe."""

import os

# The number of the pipe's end in the child.
READY_VARIABLE = "IMPASTO_READY_FD"


def say_ready() -> None:
    """Tell the supervisor that this process does its work now. Does nothing without one, or again."""
    number = os.environ.pop(READY_VARIABLE, None)
    if number is None:
        return
    with open(int(number), "wb", buffering=0) as pipe:
        pipe.write(b".")
