"""``impasto backup`` and ``impasto restore``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from app.backup.making import make_backup
from app.backup.manifest import BackupError, Manifest
from app.backup.restoring import restore as put_back
from app.cli.messages import fail, note_problem
from app.cli.serve import DataDir, failing_on_unusable_data, read_settings

# Files that are named; more are counted.
NAMED = 20


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the backup.")], data_dir: DataDir = None
) -> None:
    """Copy database, files and weights of a service into a folder; it may be at work meanwhile.

    The exit code is 1 if a file could not be read: all others are in the backup.
    """
    settings = read_settings(data_dir=data_dir)
    try:
        with failing_on_unusable_data():
            manifest, copied = make_backup(settings, folder)
    except BackupError as error:
        fail(str(error))
    typer.echo(f"Backed up {_described(manifest)} to {folder}.")
    _name(copied.unreadable)
    raise typer.Exit(int(bool(copied.unreadable)))


def restore(
    folder: Annotated[Path, typer.Argument(help="What `impasto backup` made.")], data_dir: DataDir = None
) -> None:
    """Put a backup into an empty service, which does not run: IMPASTO_DATA_DIR, IMPASTO_DATABASE_URL.

    Jobs that were running wait, and go on from their checkpoints. It says what is missing.
    """
    settings = read_settings(data_dir=data_dir)
    try:
        with failing_on_unusable_data():
            restored = put_back(settings, folder)
    except BackupError as error:
        fail(str(error))
    manifest = restored.manifest
    typer.echo(f"Restored {_described(manifest)}, as of {manifest.made_at}, to {settings.data_dir}.")
    if restored.released:
        typer.echo(f"{restored.released:,} jobs were running: they wait, with their checkpoints.")
    _name({each.key: each.problem for each in restored.missing} | restored.unreadable)
    _name(dict.fromkeys(restored.others, "no file of a service, and left out"))
    if restored.missing:
        typer.echo("Jobs whose files are missing can be run again; pictures have to be uploaded again.")


def _described(manifest: Manifest) -> str:
    return (
        f"{manifest.jobs:,} jobs, {manifest.pictures:,} pictures and {manifest.files:,} files "
        f"({manifest.bytes:,} bytes)"
    )


def _name(problems: Mapping[str, str]) -> None:
    for key, problem in list(problems.items())[:NAMED]:
        note_problem(key, problem)
    if len(problems) > NAMED:
        typer.echo(f"impasto: and {len(problems) - NAMED:,} more files", err=True)
