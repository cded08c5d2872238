"""The ``impasto`` command."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from app.cli.backup import backup, restore
from app.cli.batch import batch
from app.cli.datasets import datasets
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.jobs import jobs
from app.cli.kind_commands import make_command
from app.cli.messages import USAGE, give_up_on, say
from app.cli.networks import networks
from app.cli.palette import palette
from app.cli.serve import api, serve, worker
from app.cli.sheet import sheet
from app.cli.train import make_train_command
from app.cli.weights import weights
from app.kinds import KINDS
from app.storage.folder import FULL

STDERR = 2  # the last of the three


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"impasto {version('impasto')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    del version


def make_program() -> typer.Typer:
    """The command, with a subcommand for every kind that is registered now."""
    program = typer.Typer(
        name="impasto",
        help="Neural style transfer and image synthesis: a web service, and the same on the command line.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_options,
    )
    program.command()(serve)
    for spec in KINDS.values():
        if spec.command is not None:
            program.command(spec.command)(make_command(spec))
    program.command("train")(make_train_command())
    for command in (sheet, demo, api, worker, doctor, backup, restore):
        program.command()(command)
    program.add_typer(jobs, name="jobs")
    program.add_typer(batch, name="batch")
    program.add_typer(datasets, name="datasets")
    program.add_typer(networks, name="networks")
    program.add_typer(palette, name="palette")
    program.add_typer(weights, name="weights")
    return program


program = make_program()


def main() -> None:
    """Run the command line."""
    _open_standard_streams()
    try:
        os.getcwd()
    except OSError:
        # Paths that do not begin at the root lead nowhere, nor do those of the settings.
        say("impasto: The folder that this was started in is gone: change into another one.", err=True)
        sys.exit(USAGE)
    try:
        program()
    except OSError as error:
        # An error of a file names it: this is one of stdout, which the shell sent to a file.
        if error.errno not in FULL or error.filename is not None:
            raise
        give_up_on(sys.stdout)
        say(f"impasto: What it says cannot be written: {error.strerror}.", err=True)
        sys.exit(1)


def _open_standard_streams() -> None:
    """Open those of stdin, stdout and stderr that are closed, as by some ways to start a service.

    The next files that are opened would take their numbers, and get what libraries write there.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(opened, True)
    os.close(opened)
