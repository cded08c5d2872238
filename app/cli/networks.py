"""``impasto networks``: list, show, rename, delete, export and import networks.

They are those of a running service, or with --data-dir those of a data folder, without one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Protocol

import httpx
import typer
from rich.table import Table
from sqlalchemy import Engine

from app.cli.data_folder import open_database
from app.cli.messages import fail
from app.cli.output_files import check_output, replacing
from app.cli.serve import read_settings
from app.cli.service_client import AsJson, Url, answer, service
from app.cli.tables import print_list, print_table
from app.errors import ServiceError
from app.jobs.needs import users_of_network
from app.networks import service as networks_here
from app.networks.catalogue import get_card, is_shipped
from app.networks.schemas import NetworkView, list_page
from app.networks.weights_folder import card_here
from app.settings import Settings
from app.storage import StorageFull, make_storage

networks = typer.Typer(help="Networks: those that were trained, imported or shipped.", no_args_is_help=True)

CHUNK = 1 << 20

Name = Annotated[str, typer.Argument(metavar="NETWORK", help="Name of a network.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Work on the networks of this data folder, without a service.", show_default=False),
]


class Place(Protocol):
    """Where networks are; what it tells of them is JSON, as the service answers."""

    def page(self) -> dict[str, Any]:
        """All of them, and the bytes that they take."""

    def get(self, name: str) -> dict[str, Any]:
        """One network."""

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Give a network another name."""

    def delete(self, name: str) -> None:
        """Remove a network."""

    def write(self, name: str, file: BinaryIO) -> None:
        """Write a network as safetensors to an open file."""

    def add(self, file: BinaryIO, size: int, name: str | None) -> dict[str, Any]:
        """Keep the network in an open file."""


class Service:
    """The networks of a running service."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def page(self) -> dict[str, Any]:
        """All of them, and the bytes that they take."""
        return answer(self._client.get("/v1/networks"))

    def get(self, name: str) -> dict[str, Any]:
        """One network."""
        return answer(self._client.get(f"/v1/networks/{name}"))

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Give a network another name."""
        return answer(self._client.patch(f"/v1/networks/{name}", json={"name": new_name}))

    def delete(self, name: str) -> None:
        """Remove a network."""
        answer(self._client.delete(f"/v1/networks/{name}"))

    def write(self, name: str, file: BinaryIO) -> None:
        """Write a network as safetensors to an open file."""
        with self._client.stream("GET", f"/v1/networks/{name}/export", timeout=None) as response:
            if not response.is_success:
                response.read()
                answer(response)
            for chunk in response.iter_bytes(CHUNK):
                file.write(chunk)

    def add(self, file: BinaryIO, size: int, name: str | None) -> dict[str, Any]:
        """Keep the network in an open file."""
        del size
        data = {} if name is None else {"name": name}
        return answer(self._client.post("/v1/networks", files={"file": file}, data=data, timeout=None))


class Folder:
    """The networks of a data folder."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._storage = make_storage(settings)

    def page(self) -> dict[str, Any]:
        """All of them, and the bytes that they take."""
        return list_page(self._engine, self._settings.weights.path).model_dump(mode="json")

    def get(self, name: str) -> dict[str, Any]:
        """One network."""
        if is_shipped(name):
            view = NetworkView.shipped(card_here(get_card(name), self._settings.weights.path))
        else:
            view = NetworkView.stored(networks_here.get_stored(self._engine, name))
        return view.model_dump(mode="json")

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Give a network another name."""
        renamed = networks_here.rename(self._engine, name, new_name)
        return NetworkView.stored(renamed).model_dump(mode="json")

    def delete(self, name: str) -> None:
        """Remove a network."""
        network = networks_here.get_stored(self._engine, name)
        networks_here.delete(self._engine, self._storage, network, users_of_network)

    def write(self, name: str, file: BinaryIO) -> None:
        """Write a network as safetensors to an open file."""
        _, chunks = networks_here.export(self._engine, self._storage, self._settings.weights, name)
        file.writelines(chunks)

    def add(self, file: BinaryIO, size: int, name: str | None) -> dict[str, Any]:
        """Keep the network in an open file."""
        most = self._settings.max_network_bytes
        if size > most:
            fail(f"The file has {size:,} bytes; a network may have {most:,} (IMPASTO_MAX_NETWORK_BYTES).")
        kept = networks_here.add_network(self._engine, self._storage, file, size, name=name)
        return NetworkView.stored(kept).model_dump(mode="json")


@networks.command("list")
def list_(as_json: AsJson = False, url: Url = None, data_dir: DataDir = None) -> None:
    """List the networks: those that are shipped, then those that were trained or imported."""
    with _place(url, data_dir) as place:
        page = place.page()
    if as_json:
        typer.echo(json.dumps(page["items"], indent=2))
        return
    table = Table()
    for column in ("name", "origin", "classes", "test accuracy", "MB", "made (UTC)"):
        table.add_column(column, no_wrap=True, overflow="ignore")
    for item in page["items"]:
        table.add_row(
            item["name"],
            item["origin"] if item["available"] else "to be downloaded",
            f"{len(item['classes']):,}",
            _accuracy(item),
            "" if item["bytes"] is None else f"{item['bytes'] / 1e6:,.1f}",
            (item["created_at"] or "")[:19],
        )
    print_list(table)
    typer.echo(f"Networks of yours take {page['bytes'] / 1e6:,.1f} MB.")


@networks.command()
def show(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Show one network: what it is, its layers, and how it was trained."""
    with _place(url, data_dir) as place:
        found = place.get(name)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    _tell(found)
    typer.echo(f"{found['summary']} {found['source']}")
    if found["training"] is not None:
        told = {key: found["training"][key] for key in ("dataset", "dataset_sha256", "base", "seed")}
        print_table("training", {**told, **found["training"]["split"], **found["training"]["metrics"]})
    print_table("layers", found["layers"])


@networks.command()
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")],
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Give a network another name. Jobs and recipes find it by the hash of its weights."""
    with _place(url, data_dir) as place:
        _tell(place.rename(name, new_name))


@networks.command()
def delete(name: Name, url: Url = None, data_dir: DataDir = None) -> None:
    """Delete a network that was trained or imported."""
    with _place(url, data_dir) as place:
        place.delete(name)
    typer.echo(f"Network {name} is deleted.")


@networks.command()
def export(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it, as .safetensors.")],
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Write a network with its card to one file. `impasto export-network` writes ONNX."""
    check_output("--output", output, (".safetensors",))
    try:
        with _place(url, data_dir) as place, replacing(output) as file:
            place.write(name, file)
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror}")
    typer.echo(f"Network {name} is in {output}")


@networks.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that an export gave.", exists=True, dir_okay=False)],
    name: Annotated[str | None, typer.Option(help="Its name; that in the file.", show_default=False)] = None,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Add the network in a file, safetensors with its card."""
    with _place(url, data_dir) as place, file.open("rb") as opened:
        _tell(place.add(opened, file.stat().st_size, name))


@contextmanager
def _place(url: str | None, data_dir: Path | None) -> Iterator[Place]:
    """Where the networks are; exits with a message if a request fails."""
    if data_dir is None:
        with service(url) as client:
            yield Service(client)
        return
    settings = read_settings(data_dir=data_dir)
    if not data_dir.is_dir():
        fail(f"There is no folder {data_dir}.")
    with open_database(settings) as engine:
        try:
            yield Folder(settings, engine)
        except StorageFull as error:
            fail(f"The disk is full: {error.what}.")
        except ServiceError as error:
            fail(error.detail)


def _tell(network: dict[str, Any]) -> None:
    accuracy = _accuracy(network)
    typer.echo(
        f"{network['name']}: {network['origin']}, {len(network['layers'])} layers, "
        f"{len(network['classes']):,} classes, {network['parameters']:,} parameters"
        f"{f', test accuracy {accuracy}' if accuracy else ''}, SHA-256 {(network['sha256'] or 'none')[:12]}"
    )


def _accuracy(network: dict[str, Any]) -> str:
    metrics = (network["training"] or {}).get("metrics", {})
    value = metrics.get("test_accuracy")
    return "" if value is None else f"{100 * value:.1f} %"
