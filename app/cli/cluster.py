"""``impasto api`` and ``impasto worker``: the parts of a service on many machines."""

import signal
from typing import Annotated, get_args

import typer
import uvicorn

from app.cli.messages import USAGE, fail
from app.cli.serve import read_settings, supervise
from app.kinds import Lane
from app.settings import Settings
from app.supervision import StartError, Supervisor, listen
from app.supervision.api import configuration
from app.supervision.logs import configure_logging
from app.supervision.supervisor import all_lanes


def api(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; IMPASTO_HOST, or 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; IMPASTO_PORT, or 8000. 0 picks one.", show_default=False)
    ] = None,
) -> None:
    """Start only the page and the REST interface; workers run elsewhere, over Redis."""
    settings = _settings_of_a_cluster(host=host, port=port)
    configure_logging(settings.log_level)
    try:
        with listen(settings.host, settings.port) as listener:
            # After a clean shutdown uvicorn raises the signal again, which would change the exit code.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            uvicorn.Server(configuration(settings)).run(sockets=[listener])
    except StartError as error:
        fail(str(error), USAGE)


def worker(
    device: Annotated[
        str | None,
        typer.Option(help="cpu, mps, cuda:0, or several with commas; IMPASTO_DEVICE.", show_default=False),
    ] = None,
    lanes: Annotated[
        str | None,
        typer.Option(help="Lanes to serve, with commas; default: all that kinds use.", show_default=False),
    ] = None,
) -> None:
    """Run jobs from Redis: one process for each device and lane. Ctrl-C stops it with checkpoints."""
    settings = _settings_of_a_cluster(device=device)
    configure_logging(settings.log_level)
    known = all_lanes()
    wanted = [lane.strip() for lane in lanes.split(",")] if lanes is not None else known
    for lane in wanted:
        if lane not in get_args(Lane):
            fail(f"--lanes: there is no lane {lane!r}. Lanes: {', '.join(get_args(Lane))}.", USAGE)
    raise typer.Exit(supervise(Supervisor(settings, None, lanes=wanted)))


def _settings_of_a_cluster(**flags: object) -> Settings:
    settings = read_settings(**flags)
    if settings.redis_url is None:
        fail(
            "IMPASTO_REDIS_URL is not set: this command is for a service on many machines, over Redis. "
            "On one machine use: impasto serve",
            USAGE,
        )
    return settings
