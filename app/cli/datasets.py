"""``impasto datasets``: the sets of a running service."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO

import httpx
import typer
from rich.table import Table

from app.cli.jobs import follow
from app.cli.messages import fail, fail_on
from app.cli.output_files import check_output, write_file
from app.cli.service_client import AsJson, Url, answer, service
from app.cli.tables import print_list
from app.datasets.dataset import Source
from app.datasets.layout import is_picture, is_table
from app.datasets.split import PARTS, Part
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
    print_list(table)


@datasets.command()
def show(name: Name, as_json: AsJson = False, url: Url = None) -> None:
    """Show one set: its state, its classes and parts, and what may harm a training."""
    with service(url) as client:
        found = answer(client.get(f"/v1/datasets/{name}"))
        statistics = answer(client.get(f"/v1/datasets/{name}/statistics"))
    if as_json:
        typer.echo(json.dumps({**found, "statistics": statistics}, indent=2))
        return
    _print(found)
    _print_statistics(statistics)


@datasets.command()
def sheet(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it: .jpg.")] = Path(
        "sheet.jpg"
    ),
    columns: Annotated[int, typer.Option(min=1, max=20, help="Pictures of each class.")] = 8,
    side: Annotated[int, typer.Option(min=32, max=160, help="Longer side of each in pixels.")] = 96,
    skip: Annotated[int, typer.Option(min=0, help="Classes that are left out at the start.")] = 0,
    part: Annotated[Part | None, typer.Option(help="Only pictures of this part.")] = None,
    url: Url = None,
) -> None:
    """Write a contact sheet: a row of pictures for each class, at most 50."""
    check_output("--output", output, [".jpg"])
    params = {"columns": columns, "side": side, "skip": skip, **({"part": part} if part else {})}
    with service(url) as client:
        sent = client.get(f"/v1/datasets/{name}/contact-sheet", params=params, timeout=120)
        if not sent.is_success:
            answer(sent)
    try:
        write_file(output, sent.content)
    except OSError as error:
        fail(f"{output}: {error.strerror}")
    typer.echo(str(output))


@datasets.command()
def relabel(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Name of the new set.")],
    rename: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="Another name for a label; empty: none.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Leave its members out.")] = None,
    member: Annotated[
        list[str] | None, typer.Option(metavar="MEMBER=LABEL", help="Label of one, by name or position.")
    ] = None,
    drop_member: Annotated[
        list[int] | None, typer.Option(metavar="POSITION", help="Leave one member out.")
    ] = None,
    labels: Labels = None,
    url: Url = None,
) -> None:
    """Make a set of the pictures of another one, with other labels. Options may come several times."""
    body: dict[str, Any] = {
        "name": new_name,
        "rename": _pairs("--rename", rename or []),
        "labels": _pairs("--member", member or []),
        "drop": [*(drop or []), *(drop_member or [])],
    }
    path = f"/v1/datasets/{name}/relabel"
    with service(url) as client:
        if labels is None:
            made = client.post(path, json=body, timeout=120)
        else:
            files = {"labels": (labels.name, _read(labels), "text/csv")}
            made = client.post(path, files=files, data={"params": json.dumps(body)}, timeout=120)
        _print(answer(made))


def _pairs(option: str, given: list[str]) -> dict[str, str | None]:
    """What is before the last equals sign, and behind it."""
    for each in given:
        if "=" not in each:
            fail_on([(option, f"{each!r} has no equals sign.")])
    return {each.rpartition("=")[0]: each.rpartition("=")[2] or None for each in given}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")


@datasets.command()
def rename(
    name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")], url: Url = None
) -> None:
    """Rename a set. Jobs and recipes go on to find it."""
    with service(url) as client:
        _print(answer(client.patch(f"/v1/datasets/{name}", json={"name": new_name})))


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


def _print_statistics(found: dict[str, Any]) -> None:
    table = Table()
    table.add_column("label")
    for column in ("members", *PARTS):
        table.add_column(column, justify="right")
    for each in found["labels"]:
        parts = each["parts"] or dict.fromkeys(PARTS, 0)
        counts = [f"{count:,}" for count in (each["members"], *(parts[part] for part in PARTS))]
        table.add_row(each["label"] or "(no label)", *counts)
    print_list(table)
    for name in ("widths", "heights"):
        if found[name]:
            bars = ", ".join(
                f"{bar['least']:,} to {bar['below'] - 1:,}: {bar['members']:,}"
                for bar in found[name]["histogram"]
                if bar["members"]
            )
            typer.echo(f"{name} in pixels: {bars}")
    for note in found["notes"]:
        typer.echo(note)
    if found["suggestion"] is not None:
        typer.echo(f"Suggestion: {found['suggestion']['text']}")


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
                files["labels"] = (labels.name, _read(labels), "text/csv")
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
        # A file may be older than the times that a ZIP knows.
        with zipfile.ZipFile(temporary, "w", strict_timestamps=False) as archive:
            for path in sorted(pictures.rglob("*")):
                name = path.relative_to(pictures).as_posix()
                if path.is_file() and (is_picture(name) or is_table(name)):
                    archive.write(path, name)
        temporary.seek(0)
        yield temporary
