"""Makes a built-in set: draws its pictures, and keeps them as members."""

import hashlib
import io
from collections.abc import Generator

from PIL import Image

from app.datasets.builtin import options_of
from app.datasets.cifar10 import Cifar10Error
from app.datasets.dataset import Dataset
from app.datasets.errors import DatasetClosed
from app.datasets.repository import get_dataset
from app.datasets.service import DatasetService, PictureFile
from app.errors import InputError
from app.kinds.make_dataset import MakeDatasetParams
from app.media import inspect_picture
from app.settings import Settings
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState, map_steps
from worker.datasets.builtin import IN_ONE, Drawn, open_built_in


def make(datasets: DatasetService, dataset: Dataset) -> Generator[tuple[int, int], None, Dataset]:
    """Make a built-in set, yielding how many of its pictures there are; returns the closed set.

    What was made before is kept, and another process may make it, too. Raises Cifar10Error if the files
    that it needs are not there.
    """
    pictures = open_built_in(options_of(dataset), datasets.settings.data_dir)
    total = len(pictures)
    try:
        for start in range(dataset.members - dataset.members % IN_ONE, total, IN_ONE):
            files = [_as_file(drawn, datasets.settings) for drawn in pictures.pictures(start, start + IN_ONE)]
            datasets.add_files(dataset.id, files, dataset.id)
            yield start + len(files), total
    except DatasetClosed:  # by the other process
        return get_dataset(datasets.engine, dataset.id)
    return datasets.close(dataset.id)


def _as_file(drawn: Drawn, settings: Settings) -> PictureFile:
    data = encode(drawn)
    return PictureFile(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        info=inspect_picture(io.BytesIO(data), settings),
        name=drawn.name,
        label=drawn.label,
    )


def encode(drawn: Drawn) -> bytes:
    """The PNG of a picture."""
    out = io.BytesIO()
    Image.fromarray(drawn.pixels).save(out, "PNG")
    return out.getvalue()


def make_dataset(
    params: MakeDatasetParams,
    inputs: Inputs,
    network: None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Make the built-in set that the params name; ``done`` and ``total`` are pictures.

    The set itself says how far it is, so a state is empty.
    """
    del network, compute, resume
    dataset = get_dataset(inputs.datasets.engine, params.dataset)
    if dataset.source == "upload":
        raise InputError("dataset", f"Set {dataset.name!r} is not built in: add members, and close it.")

    def step(counts: tuple[int, int]) -> Step:
        return Step(*counts, losses=dict, image=None, state=lambda: StepState({}, {}))

    try:
        made = yield from map_steps(make(inputs.datasets, dataset), step)
    except Cifar10Error as error:
        raise InputError("dataset", str(error)) from error
    return Outcome(result={"dataset": made.id, "sha256": made.sha256, "members": made.members})
