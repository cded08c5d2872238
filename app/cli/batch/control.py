"""``impasto batch list, watch, results, cancel, pause, resume, retry, delete``: batches of a service."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from app.batches.batch import BatchState
from app.cli.batch.entries import Entry
from app.cli.batch.fetching import Fetcher, follow, lines_of
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import output_folder
from app.cli.batch.reporting import say_end, say_failure
from app.cli.messages import INTERRUPTED, fail, fail_on
from app.cli.output_files import check_output, replacing
from app.cli.service_client import AsJson, Url, answer, check_stream, service
from app.cli.tables import print_list
from app.jobs.job import Json

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="Id of a batch.")]
BatchIds = Annotated[list[str], typer.Argument(metavar="BATCH...", help="Ids of batches.")]

# Entries of one page.
_PAGE = 1000


def list_(
    state: Annotated[
        list[BatchState] | None, typer.Option(help="Only those in this state; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many batches.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List batches, the newest first."""
    query: dict[str, Any] = {"limit": limit, "state": state or []}
    with service(url) as client:
        items = answer(client.get("/v1/batches", params=query))["items"]
    if as_json:
        typer.echo(json.dumps(items, indent=2))
        return
    table = Table()
    for column in ("batch", "name", "state", "done", "failed", "made (UTC)"):
        # An id must not be wrapped, so that it can be copied.
        table.add_column(column, no_wrap=True, overflow="ignore" if column == "batch" else "ellipsis")
    for item in items:
        counts = item["counts"]
        done = f"{counts['succeeded']:,}/{item['lines']:,}"
        made = item["created_at"][:19]
        table.add_row(item["id"], item["name"], _state(item), done, f"{counts['failed']:,}", made)
    print_list(table)


def watch(batch: BatchId, as_json: AsJson = False, url: Url = None) -> None:
    """Follow a batch to its end. The exit code is 0 if all of it succeeded, else 1."""
    with service(url) as client:
        found = answer(client.get(f"/v1/batches/{batch}"))
        with BatchProgress(_state(found), found["lines"]) as progress:

            def show(kind: str, data: Json) -> None:
                if kind != "entry":
                    _show_counts(progress, data["counts"])

            _show_counts(progress, found["counts"])
            try:
                ended = follow(client, batch, show, progress, replay=False)
            except KeyboardInterrupt:
                progress.stop()
                fail(f"The service goes on with it. impasto batch cancel {batch} stops it.", INTERRUPTED)
            _show_counts(progress, ended["counts"])
    if as_json:
        typer.echo(json.dumps(ended, indent=2))
    for failed in ended["first_errors"]:
        say_failure(failed)
    if ended["state"] != BatchState.SUCCEEDED:
        counts = ended["counts"]
        fail(f"{_state(ended)}: {counts['failed']:,} of {ended['lines']:,} failed.")


def results(
    batch: BatchId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the files; what it has is not fetched again."),
    ] = None,
    zip_: Annotated[Path | None, typer.Option("--zip", help="One .zip for all.")] = None,
    url: Url = None,
) -> None:
    """Fetch what there is by now: files into a folder or a ZIP; else the results, a JSON object a line."""
    if output is not None and zip_ is not None:
        fail_on([("--zip", "Name either a folder or a ZIP.")])
    if zip_ is not None:
        check_output("--zip", zip_, (".zip",))
    with service(url) as client:
        if zip_ is not None:
            _write_archive(client, batch, zip_)
        elif output is not None:
            _fetch(client, batch, output)
        else:
            for line in lines_of(client, f"/v1/batches/{batch}/results"):
                typer.echo(json.dumps(line))


def cancel(batch: BatchIds, url: Url = None) -> None:
    """Cancel batches: what has not begun at once, what runs at its next step."""
    _post(batch, "cancel", url)


def pause(batch: BatchIds, url: Url = None) -> None:
    """Pause batches: what runs goes back to the queue at its next step."""
    _post(batch, "pause", url)


def resume(batch: BatchIds, url: Url = None) -> None:
    """Resume paused batches."""
    _post(batch, "resume", url)


def retry(batch: BatchIds, url: Url = None) -> None:
    """Try the failed entries of batches again."""
    _post(batch, "retry", url)


def delete(batch: BatchIds, url: Url = None) -> None:
    """Delete batches that have ended, with their jobs and pictures."""
    with service(url) as client:
        for identity in batch:
            answer(client.delete(f"/v1/batches/{identity}"))
            typer.echo(f"{identity}: deleted")


COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": list_,
    "watch": watch,
    "results": results,
    "cancel": cancel,
    "pause": pause,
    "resume": resume,
    "retry": retry,
    "delete": delete,
}


def _post(batches: list[str], action: str, url: str | None) -> None:
    with service(url) as client:
        for identity in batches:
            found = answer(client.post(f"/v1/batches/{identity}/{action}"))
            typer.echo(f"{found['id']}: {_state(found)}")


def _write_archive(client: httpx.Client, batch: str, path: Path) -> None:
    try:
        with (
            client.stream("GET", f"/v1/batches/{batch}/archive", timeout=60) as response,
            BatchProgress("Fetching", None) as progress,
        ):
            check_stream(response)
            with replacing(path) as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    progress.say(f"{file.tell() / 1e6:,.1f} MB")
    except OSError as error:
        fail(f"{error.filename or path}: {error.strerror}")
    typer.echo(str(path))


def _fetch(client: httpx.Client, batch: str, output: Path) -> None:
    """Fetch the files that a folder lacks. Each is known by the job that made it."""
    entries: dict[int, Entry] = {}
    keys: dict[str, str] = {}
    first: int | None = 1
    while first is not None:
        query: dict[str, Any] = {"from": first, "limit": _PAGE, "state": "succeeded"}
        page = answer(client.get(f"/v1/batches/{batch}/entries", params=query))
        for item in page["items"]:
            entries[item["line"]] = Entry(item["line"], item["custom_id"], item["kind"], {})
            keys[item["custom_id"]] = item["job_id"]
        first = page["next_line"]
    with output_folder(output, entries.values()) as folder:
        missing = folder.missing(entries.values(), keys)
        try:
            with BatchProgress("Fetching", len(missing)) as progress:
                wanted = {entry.line: entry for entry in missing}
                fetcher = Fetcher(client, batch, folder, wanted, keys, progress)
                fetcher.fetch_present()
            errors = [*fetcher.gone, *lines_of(client, f"/v1/batches/{batch}/errors")]
            folder.write_results(list(entries.values()), keys, errors)
        except OSError as error:
            fail(f"{error.filename or output}: {error.strerror}")
        except KeyboardInterrupt:
            fail("Stopped; what is there is kept. The same command goes on.", INTERRUPTED)
        say_end(folder, list(entries.values()), keys, len(missing), errors)


def _show_counts(progress: BatchProgress, counts: dict[str, int]) -> None:
    ended = counts["succeeded"] + counts["failed"] + counts["cancelled"]
    progress.at(ended, counts["failed"], sum(counts.values()))


def _state(batch: Json) -> str:
    if batch["state"] == BatchState.RUNNING:
        marks = {"cancelling": batch["cancel_requested"], "paused": batch["paused"]}
        return next((mark for mark, holds in marks.items() if holds), str(batch["state"]))
    return str(batch["state"])
