"""``impasto jobs``: list, show, follow, finish, cancel and retry jobs of a running service."""

import json
import time
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli.messages import fail
from app.cli.service_client import RETRY_SECONDS, AsJson, Url, answer, events, service
from app.cli.tables import print_list
from app.jobs.states import TERMINAL, State

jobs = typer.Typer(
    help="List, follow, finish, cancel and retry jobs of a running service.", no_args_is_help=True
)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs.")]


@jobs.command("list")
def list_(
    state: Annotated[list[State] | None, typer.Option(help="Only those in this state; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only those of this kind; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many jobs.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List jobs, the newest first."""
    with service(url) as client:
        query: dict[str, Any] = {"limit": limit, "state": state or [], "kind": kind or []}
        items = answer(client.get("/v1/jobs", params=query))["items"]
    if as_json:
        typer.echo(json.dumps(items, indent=2))
        return
    table = Table()
    for column in ("job", "kind", "state", "progress", "made (UTC)"):
        # An id must not be wrapped, so that it can be copied.
        table.add_column(column, no_wrap=True, overflow="ignore")
    for job in items:
        table.add_row(job["id"], job["kind"], _state(job), _progress(job), job["created_at"][:19])
    print_list(table)


@jobs.command()
def show(job: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Show one job: its state, params, files, and error if it failed."""
    with service(url) as client:
        found = answer(client.get(f"/v1/jobs/{job}"))
        base = client.base_url
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"{found['kind']} {found['id']}: {_state(found)} {_progress(found)}".rstrip())
    if found["error"]:
        typer.echo(f"{found['error']['title']}: {found['error']['detail']}")
    for artifact in found["artifacts"]:
        typer.echo(f"{artifact['name']}: {base.join(artifact['url'])} ({artifact['bytes']:,} bytes)")
    typer.echo(json.dumps(found["params"], indent=2))


@jobs.command()
def watch(job: JobId, url: Url = None) -> None:
    """Follow a job to its end. The exit code is 0 if it succeeded, else 1."""
    with service(url) as client:
        ended = follow(client, job)
    if ended["state"] != State.SUCCEEDED:
        fail(ended["error"]["detail"] if ended["error"] else "The job was cancelled.")


@jobs.command()
def cancel(job: JobIds, url: Url = None) -> None:
    """Cancel jobs: queued ones at once, running ones at their next step."""
    with service(url) as client:
        for identity in job:
            found = answer(client.post(f"/v1/jobs/{identity}/cancel"))
            typer.echo(f"{found['id']}: {_state(found)}")


@jobs.command()
def finish(job: JobId, url: Url = None) -> None:
    """End a training early, and keep the best that it has."""
    with service(url) as client:
        found = answer(client.post(f"/v1/jobs/{job}/finish"))
        typer.echo(f"{found['id']}: {_state(found)}")


@jobs.command()
def retry(job: JobId, url: Url = None) -> None:
    """Send a job that has ended again; prints the id of the new job."""
    with service(url) as client:
        typer.echo(answer(client.post(f"/v1/jobs/{job}/retry"))["id"])


def follow(client: httpx.Client, job: str) -> dict[str, Any]:
    """Show the progress of a job until it has ended; returns it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("waiting", total=None)
        last_id: str | None = None
        while True:
            try:
                for identity, kind, data in events(client, f"/v1/jobs/{job}/events", last_id):
                    last_id = identity
                    _show(progress, task, kind, data)
                break
            except httpx.TransportError as error:
                progress.update(task, description=f"the service does not answer ({error}), trying again")
                time.sleep(RETRY_SECONDS)
    return answer(client.get(f"/v1/jobs/{job}"))


def _show(progress: Progress, task: TaskID, kind: str, data: dict[str, Any]) -> None:
    match kind:
        case "state" | "done":
            progress.update(task, description=data["state"])
        case "progress":
            loss = data["losses"].get("total")
            text = "running" if loss is None else f"running, loss {loss:.4g}"
            progress.update(task, description=text, completed=data["done"], total=data["total"])


def _state(job: dict[str, Any]) -> str:
    if job["state"] in TERMINAL:
        return str(job["state"])
    marks = {"cancelling": "cancel_requested", "finishing": "finish_requested", "paused": "paused"}
    found = next((f" ({mark})" for mark, name in marks.items() if job[name]), "")
    return f"{job['state']}{found}"


def _progress(job: dict[str, Any]) -> str:
    return f"{job['progress']['done']}/{job['progress']['total']}" if job["progress"] else ""
