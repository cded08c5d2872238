"""Errors of networks."""

from collections.abc import Sequence
from http import HTTPStatus

from app.errors import ServiceError

_NAME = "my-network"


class UnknownNetwork(ServiceError):
    """There is no network of that name."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_network"
    example = (_NAME, ["palette", "vgg19"])

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        names = f" Networks: {', '.join(known)}." if known else ""
        super().__init__(f"There is no network {name!r}.{names}")


class InvalidName(ServiceError):
    """A name that no network may have."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "network_name_invalid"
    example = ("My network",)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name[:80]!r} cannot be the name of a network: use 1 to 64 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit.",
            field="name",
        )


class NameReserved(ServiceError):
    """The name of a shipped network."""

    status, type = HTTPStatus.CONFLICT, "network_name_reserved"
    example = ("vgg19",)

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is the name of a shipped network: choose another name.", field="name")


class NameTaken(ServiceError):
    """Another network has that name."""

    status, type = HTTPStatus.CONFLICT, "network_name_taken"
    example = (_NAME,)

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a network {name!r} already: choose another name.", field="name")


class ShippedNetwork(ServiceError):
    """A shipped network can neither be renamed nor deleted."""

    status, type = HTTPStatus.CONFLICT, "network_shipped"
    example = ("vgg19",)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is a shipped network, which can neither be renamed nor deleted. "
            "Export it and import it under another name for a copy that can."
        )


class NetworkInUse(ServiceError):
    """Jobs that have not ended need the network."""

    status, type = HTTPStatus.CONFLICT, "network_in_use"
    example = (_NAME, ["0198c0de-0000-7000-8000-000000000000"])

    def __init__(self, name: str, jobs: Sequence[str]) -> None:
        shown = ", ".join(jobs[:5])
        super().__init__(f"Jobs that have not ended need network {name!r}: {shown}. Cancel them, or wait.")


class WeightsNotHere(ServiceError):
    """A network cannot be exported, since its weights are not here or cannot be read."""

    status, type = HTTPStatus.CONFLICT, "weights_not_here"
    example = ("Network 'vgg19' has not been downloaded: run `impasto weights pull vgg19`.",)


class UnusableFile(ServiceError):
    """A file that cannot be imported as a network."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "network_file_unusable"
    example = ("The file is not safetensors.",)

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"{detail} Send a file from `GET /v1/networks/{{name}}/export`: safetensors, with the card of "
            "the network in its metadata.",
            field="file",
        )
