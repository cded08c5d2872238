"""What can go wrong with a file. The HTTP service and the worker each say it in their own way."""

from typing import Literal

Reason = Literal[
    "empty",
    "not_a_picture",
    "unsupported_format",
    "bytes",
    "pixels",
    "side",
    "aspect",
    "animated",
    "frames",
    "seconds",
    "truncated",
    "damaged",
]


class PictureError(ValueError):
    """A file that is not a picture this service takes.

    ``detail`` is one or two sentences for the person who sent it: what is wrong, and the remedy.
    ``reason`` is the same for a program; ``too_large`` is true where the file exceeds a limit of size.
    """

    def __init__(self, detail: str, reason: Reason) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason

    @property
    def too_large(self) -> bool:
        """Whether the file has too many bytes, pixels or frames (413 rather than 422)."""
        return self.reason in ("bytes", "pixels", "side", "frames", "seconds")
