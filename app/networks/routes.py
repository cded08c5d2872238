"""The networks that jobs may use."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Query, Response, UploadFile
from fastapi.responses import StreamingResponse

from app.http.errors import InvalidRequest, RequestTooLarge
from app.http.problems import documented
from app.http.services import Here
from app.jobs.repository import jobs_with_network
from app.networks import repository, service
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
from app.networks.schemas import NetworkChange, NetworkView
from app.networks.weights_folder import card_here
from app.storage import StorageFull

PATH = "/v1/networks"
router = APIRouter(prefix=PATH, tags=["networks"])

NetworkName = Annotated[str, Path(description="Name of a network.")]


@router.get("")
def list_networks(
    here: Here,
    sha256: Annotated[str | None, Query(description="Only networks whose weights have this hash.")] = None,
) -> dict[str, list[NetworkView]]:
    """Every network, with its layers; also those whose weights are to be downloaded first."""
    views = [NetworkView.shipped(card) for card in service.list_shipped(here.settings.weights)]
    views += [NetworkView.stored(network) for network in repository.list_networks(here.engine)]
    return {"items": [view for view in views if sha256 in (None, view.sha256)]}


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(
        NameReserved, NameTaken, InvalidName, UnusableFile, RequestTooLarge, InvalidRequest, StorageFull
    ),
)
def import_network(
    here: Here,
    response: Response,
    file: Annotated[UploadFile, File(description="A file that `GET /v1/networks/{name}/export` gave.")],
    name: Annotated[str | None, Form(description="Its name here; left out: the one in the file.")] = None,
) -> NetworkView:
    """Import a network: its weights as safetensors, with its card in the metadata."""
    network = service.add_network(here.engine, here.storage, file.file, file.size or 0, name=name)
    response.headers["Location"] = f"{PATH}/{network.card.name}"
    return NetworkView.stored(network)


@router.get("/{name}", responses=documented(UnknownNetwork))
def get_network(here: Here, name: NetworkName) -> NetworkView:
    """A network, with its layers, their channels, strides and receptive fields."""
    if is_shipped(name):
        return NetworkView.shipped(card_here(get_card(name), here.settings.weights.path))
    return NetworkView.stored(service.get_stored(here.engine, name))


@router.get(
    "/{name}/export",
    response_class=StreamingResponse,
    responses={
        **documented(UnknownNetwork, WeightsNotHere, StorageFull),
        200: {"content": {"application/octet-stream": {}}, "description": "A safetensors file."},
    },
)
def export_network(here: Here, name: NetworkName) -> StreamingResponse:
    """A network as one safetensors file: its weights, with its card as JSON in the metadata."""
    size, chunks = service.export(here.engine, here.storage, here.settings.weights, name)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{name}.safetensors"',
    }
    return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")


@router.patch(
    "/{name}",
    responses=documented(
        UnknownNetwork, ShippedNetwork, NameReserved, NameTaken, InvalidName, InvalidRequest
    ),
)
def rename_network(here: Here, name: NetworkName, change: NetworkChange) -> NetworkView:
    """Rename a network that was imported or trained. Jobs and recipes find it by the hash of its weights."""
    return NetworkView.stored(service.rename(here.engine, name, change.name))


@router.delete(
    "/{name}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownNetwork, ShippedNetwork, NetworkInUse),
)
def delete_network(here: Here, name: NetworkName) -> None:
    """Delete a network that was imported or trained, unless a job that has not ended needs its weights."""
    network = service.get_stored(here.engine, name)
    users = jobs_with_network(here.engine, network.sha256)
    if users:
        raise NetworkInUse(name, users)
    service.delete(here.engine, here.storage, network)
