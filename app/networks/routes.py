"""The networks that jobs may use."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Query, Response, UploadFile
from fastapi.responses import StreamingResponse

from app.database.keys import KeyReused, keyed
from app.http.bodies import FORM_ERRORS, JSON_ERRORS, LimitedRoute
from app.http.errors import InvalidRequest
from app.http.idempotency import IdempotencyKey
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import ServicesDep
from app.images.service import file_sha256
from app.jobs.needs import users_of_network
from app.networks import service
from app.networks.catalogue import get_card, is_shipped
from app.networks.errors import (
    InvalidName,
    NameReserved,
    NameTaken,
    NetworkInUse,
    ShippedNetwork,
    UnknownNetwork,
    UnusableFile,
    WeightsNotHere,
)
from app.networks.names import NAME_PATTERN
from app.networks.schemas import NetworkChange, NetworkPage, NetworkView, list_page
from app.networks.weights_folder import card_here
from app.storage import StorageFull

PATH = "/v1/networks"
router = APIRouter(prefix=PATH, tags=["networks"], route_class=LimitedRoute)

NetworkName = Annotated[
    str, Path(description="Name of a network.", json_schema_extra={"pattern": NAME_PATTERN})
]


@router.get("", responses=documented(InvalidRequest))
def list_networks(
    services: ServicesDep,
    sha256: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="Only networks whose weights have this hash.")
    ] = None,
    limit: Annotated[int | None, Query(ge=1, le=1000, description="Networks a page; none: all.")] = None,
    cursor: Annotated[
        str | None, Query(pattern=NAME_PATTERN, description="next_cursor of the page before.")
    ] = None,
) -> NetworkPage:
    """The networks with their layers: the shipped ones, also those that are not downloaded, then others.

    Each group is in the order of names. What `training` tells at length is left out.
    """
    return list_page(
        services.engine, services.settings.weights.path, sha256=sha256, limit=limit, cursor=cursor
    )


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(
        NameReserved,
        NameTaken,
        InvalidName,
        UnusableFile,
        *FORM_ERRORS,
        InvalidRequest,
        KeyReused,
        StorageFull,
    ),
)
def import_network(
    services: ServicesDep,
    response: Response,
    file: Annotated[UploadFile, File(description="A file that `GET /v1/networks/{name}/export` gave.")],
    name: Annotated[
        str | None,
        Form(
            description="Its name here; left out: the one in the file.",
            json_schema_extra={"pattern": NAME_PATTERN},
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> NetworkView:
    """Import a network: its weights as safetensors, with its card in the metadata."""
    request = None
    if idempotency_key is not None:
        request = keyed(idempotency_key, name, file_sha256(file.file))
    network = service.add_network(
        services.engine, services.storage, file.file, file.size or 0, name=name, request=request
    )
    response.headers["Location"] = url_of(f"{PATH}/{network.card.name}")
    return NetworkView.stored(network)


@router.get("/{name}", responses=documented(UnknownNetwork))
def get_network(services: ServicesDep, name: NetworkName) -> NetworkView:
    """A network, with its layers, their channels, strides and receptive fields."""
    if is_shipped(name):
        return NetworkView.shipped(card_here(get_card(name), services.settings.weights.path))
    return NetworkView.stored(service.get_stored(services.engine, name))


@router.get(
    "/{name}/export",
    response_class=StreamingResponse,
    responses={
        **documented(UnknownNetwork, WeightsNotHere, StorageFull),
        200: {"content": {"application/octet-stream": {}}, "description": "A safetensors file."},
    },
)
def export_network(services: ServicesDep, name: NetworkName) -> StreamingResponse:
    """A network as one safetensors file: its weights, with its card as JSON in the metadata."""
    size, chunks = service.export(services.engine, services.storage, services.settings.weights, name)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{name}.safetensors"',
    }
    return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")


@router.patch(
    "/{name}",
    responses=documented(
        *JSON_ERRORS, UnknownNetwork, ShippedNetwork, NameReserved, NameTaken, InvalidName, InvalidRequest
    ),
)
def rename_network(services: ServicesDep, name: NetworkName, change: NetworkChange) -> NetworkView:
    """Rename a network that was imported or trained. Jobs and recipes find it by the hash of its weights."""
    return NetworkView.stored(service.rename(services.engine, name, change.name))


@router.delete(
    "/{name}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownNetwork, ShippedNetwork, NetworkInUse),
)
def delete_network(services: ServicesDep, name: NetworkName) -> None:
    """Delete a network that was imported or trained.

    Not if a job that has not ended needs its weights, and no other network has the same.
    """
    network = service.get_stored(services.engine, name)
    service.delete(services.engine, services.storage, network, users_of_network)
