"""``impasto batch``: many jobs in one call, here or in a running service."""

import typer

from app.cli.batch.commands import make_matrix_command, run
from app.cli.batch.control import COMMANDS

batch = typer.Typer(help="Many jobs in one call, on this machine or in a service.", no_args_is_help=True)
batch.command()(run)
batch.command("matrix", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    make_matrix_command()
)
for name, command in COMMANDS.items():
    batch.command(name)(command)
