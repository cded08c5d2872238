"""Errors of networks."""

from collections.abc import Sequence
from http import HTTPStatus

from app.errors import ServiceError


class UnknownNetwork(ServiceError):
    """There is no network of that name."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_network"
    example = ("vgg11", ["palette", "vgg19"])

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no network {name!r}. Networks: {', '.join(known)}.")
