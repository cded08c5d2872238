"""Paints pairs of pictures, and keeps what was painted in a folder."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from app.cli.local_run import prepare
from app.cli.output_files import write_file
from app.errors import InputError
from app.kinds import Params
from app.media.recipe_text import read_recipe
from app.settings import Settings
from benchmarks.style_quality.pairs import Pair
from benchmarks.style_quality.settings import PALETTE, Setting
from models.palette import palette
from worker.contract.steps import run_steps
from worker.media.pictures import encode_png

ROOT = Path(__file__).parents[2]
# A recipe says with what params a picture was painted, and these files by what formulas.
CODE = (
    "app/kinds/style_transfer.py",
    "models/*.py",
    "models/architectures/*.py",
    "worker/losses/**/*.py",
    "worker/optim/**/*.py",
    "worker/synthesis/**/*.py",
)
SECONDS = "cpu_seconds"


@dataclass(frozen=True)
class Painted:
    """A picture that was painted: its file, and the processor's seconds that it took."""

    path: Path
    cpu_seconds: float
    recipe: Mapping[str, Any]


def paint(pair: Pair, setting: Setting, params: Params, settings: Settings, folder: Path) -> Painted:
    """Paint a pair with resolved params, unless the folder has that picture already.

    Raises InputError on ``setting``, ComputationError.
    """
    try:
        return _paint(pair, setting, params, settings, folder)
    except InputError as error:
        raise InputError("setting", f"{setting.name} on {pair.name}: {error}") from None


def _paint(pair: Pair, setting: Setting, params: Params, settings: Settings, folder: Path) -> Painted:
    job = prepare(params, {"content": [pair.content], "style": [pair.style]}, settings)
    if setting.palette is not None:
        try:
            network = palette(setting.palette)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(PALETTE, f"{setting.palette}: {error}") from None
        job = replace(job, network=network.prepared(job.compute.device, job.compute.dtype))
    recipe = job.recipe()
    path = folder / f"{cache_key(recipe, code_hash(ROOT))}.png"
    known = _seconds(path)
    if known is None:
        began = time.process_time()
        picture = run_steps(job.steps()).images["image"]
        known = time.process_time() - began
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, encode_png(picture, recipe={**recipe, SECONDS: known}))
    return Painted(path, known, recipe)


def cache_key(recipe: Mapping[str, Any], code: str) -> str:
    """The name of a picture in the folder: 32 hexadecimal digits of its recipe and of the code."""
    # The names of files are no part of what is painted; the recipe has the hashes of their content.
    params = {name: value for name, value in recipe["params"].items() if name not in ("content", "style")}
    text = json.dumps({"recipe": {**recipe, "params": params}, "code": code}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def code_hash(root: Path) -> str:
    """The SHA-256 of the files that a picture depends on beside its recipe."""
    digest = hashlib.sha256()
    for path in _code_files(root):
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _code_files(root: Path) -> Iterator[Path]:
    for pattern in CODE:
        yield from sorted(root.glob(pattern))


def _seconds(path: Path) -> float | None:
    """What a kept picture took; None if there is none that was written whole."""
    try:
        with path.open("rb") as file:
            recipe = read_recipe(file)
    except FileNotFoundError:
        return None
    seconds = (recipe or {}).get(SECONDS)
    return seconds if isinstance(seconds, float) else None
