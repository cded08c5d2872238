"""What can go wrong with a network: each error carries its status, its type and the field at fault."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar


class NetworkError(Exception):
    """Base of these errors. ``detail`` says what is wrong and what would be right."""

    status: ClassVar[HTTPStatus]
    type: ClassVar[str]
    field: ClassVar[str | None] = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnknownNetwork(NetworkError):
    """There is no network of that name."""

    status = HTTPStatus.NOT_FOUND
    type = "unknown_network"

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        names = f" Networks: {', '.join(known)}." if known else ""
        super().__init__(f"There is no network {name!r}.{names}")


class InvalidName(NetworkError):
    """A name that no network may have."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "network_name_invalid"
    field = "name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name[:80]!r} cannot be the name of a network: use 1 to 64 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit."
        )


class NameReserved(NetworkError):
    """The name of a shipped network."""

    status = HTTPStatus.CONFLICT
    type = "network_name_reserved"
    field = "name"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is the name of a shipped network: choose another name.")


class NameTaken(NetworkError):
    """Another network has that name."""

    status = HTTPStatus.CONFLICT
    type = "network_name_taken"
    field = "name"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a network {name!r} already: choose another name.")


class ShippedNetwork(NetworkError):
    """A shipped network can neither be renamed nor deleted."""

    status = HTTPStatus.CONFLICT
    type = "network_shipped"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is a shipped network, which can neither be renamed nor deleted. "
            "Export it and import it under another name for a copy that can."
        )


class NetworkInUse(NetworkError):
    """Jobs that have not ended need the network."""

    status = HTTPStatus.CONFLICT
    type = "network_in_use"

    def __init__(self, name: str, jobs: Sequence[str]) -> None:
        shown = ", ".join(jobs[:5])
        super().__init__(f"Jobs that have not ended need network {name!r}: {shown}. Cancel them, or wait.")


class WeightsNotHere(NetworkError):
    """A network cannot be exported, since its weights are not here or cannot be read."""

    status = HTTPStatus.CONFLICT
    type = "weights_not_here"


class UnusableFile(NetworkError):
    """A file that cannot be imported as a network."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "network_file_unusable"
    field = "file"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"{detail} Send a file from `GET /v1/networks/{{name}}/export`: safetensors with the card of the "
            "network in its metadata."
        )
