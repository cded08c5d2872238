"""``impasto datasets``: make, fill, close, list, show and delete sets of a running service."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO

import httpx
import typer
from rich.console import Console
from rich.table import Table

from app.cli.jobs import LINE_WIDTH, follow
from app.cli.messages import fail
from app.cli.service_client import AsJson, Url, answer, service
from app.datasets.dataset import Source
from app.datasets.layout import is_picture, is_table
from app.jobs.states import State

datasets = typer.Typer(help="Sets of pictures of a running service.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="SET", help="Name or id of a set.")]
Labels = Annotated[Path | None, typer.Option(help="A CSV with the columns file and label.", dir_okay=False)]
Label = Annotated[str | None, typer.Option(help="Label of the pictures that have none.")]
Pictures = Annotated[Path, typer.Argument(help="A folder of pictures, or a ZIP.", exists=True)]


@datasets.command()
def create(
    name: Annotated[str | None, typer.Argument(help="Its name; a built-in set has one.")] = None,
    pictures: Annotated[
        Path | None, typer.Argument(help="A folder of pictures, or a ZIP.", exists=True)
    ] = None,
    labels: Labels = None,
    label: Label = None,
    keep_open: Annotated[bool, typer.Option("--open", help="Do not close it: more is added later.")] = False,
    source: Annotated[Source, typer.Option(help="Where its pictures come from.")] = "upload",
    classes: Annotated[str | None, typer.Option(help="Of palette: names of classes, with commas.")] = None,
    count: Annotated[int | None, typer.Option(help="Of palette: pictures of each class.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of palette: seed of the first of each class.")] = None,
    size: Annotated[int | None, typer.Option(help="Of palette: side in pixels.")] = None,
    url: Url = None,
) -> None:
    """Make a set: of the pictures in a folder or a ZIP, a built-in one, or an empty one."""
    with service(url) as client:
        if pictures is not None:
            if name is None or source != "upload":
                fail("Name the set, and leave out --source.")
            params = {"name": name, "close": not keep_open, **({"label": label} if label else {})}
            made = _upload(client, "/v1/datasets", pictures, labels, params)
        else:
            options = {"count": count, "seed": seed, "size": size, "classes": classes and classes.split(",")}
            given = {key: value for key, value in options.items() if value is not None}
            body = {"source": source, **given, **({"name": name} if name else {})}
            made = answer(client.post("/v1/datasets", json=body))
        for job in made["jobs"]:
            _finish(client, job)
        _print(answer(client.get(f"/v1/datasets/{made['id']}")))


@datasets.command()
def add(name: Name, pictures: Pictures, labels: Labels = None, label: Label = None, url: Url = None) -> None:
    """Add the pictures in a folder or a ZIP to an open set. Nothing is added twice."""
    with service(url) as client:
        params = {"label": label} if label else {}
        job = _upload(client, f"/v1/datasets/{name}/members", pictures, labels, params)
        _finish(client, job["id"])
        _print(answer(client.get(f"/v1/datasets/{name}")))


@datasets.command()
def close(name: Name, url: Url = None) -> None:
    """Close a set, so that jobs can use it."""
    with service(url) as client:
        _print(answer(client.post(f"/v1/datasets/{name}/close")))


@datasets.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many sets.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List sets, the newest first."""
    with service(url) as client:
        items = answer(client.get("/v1/datasets", params={"limit": limit}))["items"]
    if as_json:
        typer.echo(json.dumps(items, indent=2))
        return
    table = Table()
    for column in ("name", "id", "state", "members", "MB", "made (UTC)"):
        table.add_column(column, no_wrap=True, overflow="ignore")
    for item in items:
        megabytes = f"{item['bytes'] / 1e6:,.1f}"
        made = item["created_at"][:19]
        table.add_row(item["name"], item["id"], item["state"], f"{item['members']:,}", megabytes, made)
    Console(width=max(Console().width, LINE_WIDTH)).print(table)


@datasets.command()
def show(name: Name, as_json: AsJson = False, url: Url = None) -> None:
    """Show one set: its state, its size and its labels."""
    with service(url) as client:
        found = answer(client.get(f"/v1/datasets/{name}"))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    _print(found)
    for each in found["labels"]:
        typer.echo(f"{each['label'] or '(no label)'}: {each['members']:,}")


@datasets.command()
def delete(name: Name, url: Url = None) -> None:
    """Delete a set, with the pictures that came with it."""
    with service(url) as client:
        answer(client.delete(f"/v1/datasets/{name}"))
    typer.echo(f"Set {name} is deleted.")


def _print(found: dict[str, Any]) -> None:
    duplicates = f", {found['duplicates']:,} duplicates" if found["duplicates"] else ""
    typer.echo(
        f"{found['name']} ({found['id']}): {found['state']}, {found['members']:,} members{duplicates}, "
        f"{found['bytes'] / 1e6:,.1f} MB"
    )


def _finish(client: httpx.Client, job: str) -> None:
    """Wait for the job that fills a set; says what it left out."""
    ended = follow(client, job)
    if ended["state"] != State.SUCCEEDED:
        fail(ended["error"]["detail"] if ended["error"] else "The job was cancelled.")
    for skipped in ended["result"].get("skipped", []):
        typer.echo(f"impasto: note: {skipped['name']} is left out. {skipped['reason']}", err=True)


def _upload(
    client: httpx.Client, path: str, pictures: Path, labels: Path | None, params: dict[str, Any]
) -> dict[str, Any]:
    try:
        with _zipped(pictures) as file:
            files: dict[str, Any] = {"file": (f"{pictures.stem}.zip", file, "application/zip")}
            if labels is not None:
                files["labels"] = (labels.name, io.BytesIO(labels.read_bytes()), "text/csv")
            sent = client.post(path, files=files, data={"params": json.dumps(params)}, timeout=None)
    except OSError as error:
        fail(f"{error.filename or pictures} cannot be read: {error.strerror}.")
    return answer(sent)


@contextmanager
def _zipped(pictures: Path) -> Iterator[BinaryIO]:
    """A ZIP, or one of the pictures and tables in a folder; pictures are packed already."""
    if pictures.is_file():
        with pictures.open("rb") as file:
            yield file
        return
    with TemporaryFile() as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for path in sorted(pictures.rglob("*")):
                name = path.relative_to(pictures).as_posix()
                if path.is_file() and (is_picture(name) or is_table(name)):
                    archive.write(path, name)
        temporary.seek(0)
        yield temporary
