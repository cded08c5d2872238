"""``impasto weights``: weights that are published elsewhere, without a service."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from app.cli.messages import INTERRUPTED, USAGE, fail
from app.cli.serve import DataDir, read_settings
from app.networks import NetworkCard, get_card, list_cards
from app.networks.download import DownloadError, Received
from app.networks.weights_folder import LocalWeights, card_here, downloadable
from app.settings import Settings
from app.storage import StorageFull
from app.supervision.openmp import let_threads_sleep

weights = typer.Typer(
    help="The weights of networks that are published elsewhere: VGG and others, trained on photographs.",
    no_args_is_help=True,
)

Mirror = Annotated[
    str | None,
    typer.Option(
        help="URL of a folder with the files; IMPASTO_WEIGHTS_MIRROR, or PyTorch's.", show_default=False
    ),
]


@weights.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List the networks, and whether their weights are here."""
    folder = read_settings(data_dir=data_dir).weights.path
    cards = [card_here(card, folder) for card in list_cards()]
    if as_json:
        shown = {"name", "title", "sha256", "source", "download"}
        items = [
            card.model_dump(include=shown) | {"last_layer": card.layers[-1].name if card.sha256 else None}
            for card in cards
        ]
        typer.echo(json.dumps(items, indent=2))
        return
    table = Table("network", "what it is", "weights", "SHA-256")
    for card in cards:
        table.add_row(card.name, card.title, _state(card), (card.sha256 or "")[:12])
    Console().print(table)


@weights.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NETWORK...", help="vgg19, say; see `list`.")],
    mirror: Mirror = None,
    data_dir: DataDir = None,
) -> None:
    """Download weights, check and convert them. Ctrl-C keeps what has come, and the next pull goes on."""
    settings = read_settings(data_dir=data_dir, weights_mirror=mirror)
    cards = [_card(name) for name in names]
    for card in cards:
        typer.echo(f"{card.name}: {card.source}", err=True)
    try:
        for card in cards:
            _tell(_pull(card, settings), settings)
    except DownloadError as error:
        fail(error.detail)
    except StorageFull as error:
        fail(f"The disk is full: {error.what}.")
    except OSError as error:
        fail(f"{error.filename or settings.weights.path}: {error.strerror}")
    except KeyboardInterrupt:
        fail("Stopped. The part downloaded so far is kept: the same command resumes from there.", INTERRUPTED)


@weights.command("import")
def import_(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="What the weights are of: vgg19, say.")],
    file: Annotated[
        Path,
        typer.Argument(help="torchvision's own .pth, or safetensors with its names (features.0.weight)."),
    ],
    data_dir: DataDir = None,
) -> None:
    """Take the weights of a network from a file. It may end early: then the layers do."""
    settings = read_settings(data_dir=data_dir)
    card = _card(name)
    let_threads_sleep(os.environ)
    from models.conversion import UnusableWeights
    from worker.networks.pull_weights import import_file

    try:
        _tell(import_file(card, file, settings.weights), settings)
    except UnusableWeights as error:
        fail(f"{file}: {error}")
    except BlockingIOError as error:
        fail(f"{error}. Wait for it, or stop it.")
    except OSError as error:
        fail(f"{error.filename or file}: {error.strerror}")


def _card(name: str) -> NetworkCard:
    """The card of a network whose weights are downloaded."""
    if name not in downloadable():
        known = ", ".join(downloadable())
        fail(f"There are no weights of {name!r} to download. Networks with such weights: {known}.", USAGE)
    return get_card(name)


def _pull(card: NetworkCard, settings: Settings) -> LocalWeights:
    """Pull the weights of a network under a progress bar on stderr."""
    # Imports torch, for the conversion.
    let_threads_sleep(os.environ)
    from worker.contract.steps import run_steps
    from worker.networks.pull_weights import pull

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(card.name, total=None)

        def show(received: Received) -> None:
            text = f"{card.name}: {received.note}" if received.note else card.name
            progress.update(task, description=text, completed=received.bytes, total=received.total)

        return run_steps(pull(card, settings.weights), show)


def _tell(here: LocalWeights, settings: Settings) -> None:
    where = settings.weights.path
    typer.echo(f"{here.network}: {here.layers[0]} to {here.layers[-1]}, SHA-256 {here.sha256}, in {where}")


def _state(card: NetworkCard) -> str:
    if card.download is None:
        return "shipped"
    if card.sha256 is None:
        return f"{card.download.bytes / 1e6:,.0f} MB to pull"
    whole = card.layers[-1] == get_card(card.name).layers[-1]
    return "here" if whole else f"here, up to {card.layers[-1].name}"
