"""Loads the pictures and clips of a job from the storage."""

import math
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from sqlalchemy import Engine

from app.datasets.service import DatasetService
from app.errors import InputError, field_of
from app.images.repository import Image, find_images, image_key
from app.jobs.repository import get_artifact
from app.kinds import Params, spec_of
from app.media.clips import is_clip
from app.networks.card import NetworkCard
from app.settings import WeightsFolder
from models.network import Network
from worker.contract.inputs import Inputs, Loaded, Source
from worker.contract.steps import StepState
from worker.datasets.members import load_sets, names_of_sets
from worker.media.clips import open_clip
from worker.media.pictures import Picture, load_picture
from worker.optim.kept import Kept
from worker.runtime import checkpoints
from worker.runtime.patience import persist

# Decoded pictures, which the jobs of a batch often share.
_DECODED_BYTES = 128 << 20


def _bytes_of(loaded: Loaded) -> float:
    """Memory of a decoded picture; nothing else is kept."""
    if not isinstance(loaded, Picture):
        return math.inf
    return loaded.rgb.nbytes + (0 if loaded.alpha is None else loaded.alpha.nbytes)


DECODED: Kept[Loaded] = Kept(_DECODED_BYTES, _DECODED_BYTES // 8, _bytes_of)


def _own(loaded: Loaded) -> Loaded:
    """A copy of a picture, which the job may do with as it likes."""
    if not isinstance(loaded, Picture):
        return loaded
    alpha = None if loaded.alpha is None else loaded.alpha.clone()
    return replace(loaded, rgb=loaded.rgb.clone(), alpha=alpha)


def read_input(file: BinaryIO, params: Params, name: str, field: str) -> Loaded:
    """Decode a picture, no larger than the job can use, or a clip or state where the param takes one.

    Raises InputError on ``field``.
    """
    mark = params.picture_fields()[name]
    if mark.states and checkpoints.is_state(file):
        return _read_state(file, spec_of(params).name, field)
    if mark.clips:
        data = file.read()
        if is_clip(data):
            return open_clip(data, field)
        file = BytesIO(data)
    return load_picture(file, field, params.picture_side(name), params.picture_short_side(name))


def _read_state(file: BinaryIO, kind: str, field: str) -> StepState:
    try:
        return checkpoints.of_kind(file, kind)
    except checkpoints.CheckpointError as error:
        detail = f"No state of {kind} that this version can go on from: {error}. Name the picture instead."
        raise InputError(field, detail) from error


def load_inputs(
    datasets: DatasetService,
    params: Params,
    weights: WeightsFolder,
    networks: Mapping[str, Network] | None = None,
    cards: Mapping[str, NetworkCard] | None = None,
) -> Inputs:
    """The inputs of a job of resolved params. Raises InputError that names the param if one is gone.

    ``networks`` are those that it needs beside its own; ``cards`` has that of its own.
    """
    engine, storage = datasets.engine, datasets.storage
    stored = find_images(engine, {ref for references in params.pictures().values() for ref in references})

    def source(name: str, field: str, reference: str) -> Source:
        key, sha256, file_name = _find(engine, stored, reference, field)
        # The name of what a job made says nothing without the job.
        shown = reference if "/" in reference else file_name or reference

        def load() -> Loaded:
            try:
                file = storage.open(key)
            except FileNotFoundError:
                raise InputError(field, f"The file of {shown} is gone: send the picture again.") from None
            with file:
                return read_input(file, params, name, field)

        decoded = sha256, params.picture_side(name), params.picture_short_side(name)
        return Source(sha256, lambda: _own(DECODED.get(decoded, lambda: persist(load))), file_name)

    sources = {
        name: [
            source(name, field_of(name, place, len(references)), reference)
            for place, reference in enumerate(references)
        ]
        for name, references in params.pictures().items()
    }
    sets, hashes = load_sets(datasets, params)
    names = names_of_sets(engine, params)
    return Inputs(sources, sets, weights, hashes, datasets, networks, cards, names)


def _find(engine: Engine, stored: Mapping[str, Image], reference: str, field: str) -> tuple[str, str, str]:
    """The storage key of a picture, its SHA-256, and its name."""
    item_id, _, artifact_name = reference.partition("/")
    if artifact_name:
        artifact = get_artifact(engine, item_id, artifact_name)
        if artifact is None:
            raise InputError(field, f"The artifact {reference} is gone: run that job again.")
        return artifact.key, artifact.sha256, artifact_name
    image = stored.get(item_id)
    if image is None:
        raise InputError(field, f"The image {item_id} was deleted: upload it again.")
    return image_key(item_id), image.sha256, image.name or ""
