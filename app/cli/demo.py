"""``impasto demo``: starts the service for one style transfer through REST."""

import io
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from PIL import Image
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.demo_pictures import brushwork, landscape
from app.cli.messages import INTERRUPTED, fail
from app.cli.output_files import check_output, write_file
from app.cli.serve import read_settings
from app.kinds.fields import MAX_SIDE
from app.supervision.logs import configure_logging
from app.supervision.startup import claim_data_dir, listen
from app.supervision.supervisor import Supervisor

_POLL_SECONDS = 0.25


class DemoFailed(RuntimeError):
    """The service rejected the request, or the job did not succeed."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG to write.")] = Path("demo.png"),
    size: Annotated[
        int, typer.Option(min=16, max=MAX_SIDE, help="Longer side of the picture in pixels.")
    ] = 384,
) -> None:
    """Start the service on a free port, send it one style transfer, save the picture, stop."""
    check_output("--output", output)
    configure_logging("WARNING")
    pictures: list[bytes] = []
    problems: list[Exception] = []
    with tempfile.TemporaryDirectory(prefix="impasto-demo-") as folder:
        settings = read_settings(host="127.0.0.1", port=0, data_dir=Path(folder))
        settings = settings.model_copy(
            update={
                "database_url": None,
                "redis_url": None,
                "training_devices": "",
                # That of style transfers; other workers would only make it start later.
                "lanes": "long",
                "log_level": "WARNING",
            }
        )

        def send(url: str) -> None:
            try:
                pictures.append(transfer(url, size))
            except (httpx.HTTPError, DemoFailed) as error:
                problems.append(error)
            finally:
                supervisor.stop()

        with claim_data_dir(settings.data_dir), listen(settings.host, settings.port) as listener:
            supervisor = Supervisor(settings, listener, on_ready=send)
            typer.echo(f"Starting the service at {supervisor.url}, with its data in {folder}")
            code = supervisor.run()
    if supervisor.interrupted:
        fail("Stopped; nothing was written.", INTERRUPTED)
    if code:
        raise typer.Exit(code)
    if problems:
        fail(str(problems[0]))
    write_file(output, pictures[0])
    typer.echo(f"The picture is in {output.resolve()}")


def transfer(url: str, size: int) -> bytes:
    """Run the demonstration's style transfer on the service at ``url``; returns the PNG.

    Raises DemoFailed, or httpx.HTTPError.
    """
    files = {"content": ("landscape.png", _png(landscape())), "style": ("brushwork.png", _png(brushwork()))}
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        response = client.post("/v1/style-transfer", files=files, data={"params": json.dumps({"size": size})})
        job = _answer(response)
        typer.echo(f"POST {url}/v1/style-transfer -> {response.status_code}, job {job['id']}")
        job = _wait(client, job["id"])
        if job["state"] != "succeeded":
            reason = job["error"]["detail"] if job["error"] else "It was ended by someone else."
            raise DemoFailed(f"The job {job['state']}: {reason}")
        picture = next(artifact for artifact in job["artifacts"] if artifact["name"] == "image")
        return client.get(picture["url"]).raise_for_status().content


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise DemoFailed(f"The service answered {response.status_code}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer


def _wait(client: httpx.Client, job_id: str) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task("queued", total=None)
        while True:
            job = _answer(client.get(f"/v1/jobs/{job_id}"))
            done = job["progress"] or {"done": 0, "total": None}
            progress.update(task, description=job["state"], completed=done["done"], total=done["total"])
            if job["finished_at"] is not None:
                return job
            time.sleep(_POLL_SECONDS)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
