"""Loads the pictures and clips of a job from the storage."""

from io import BytesIO
from typing import BinaryIO

from sqlalchemy import Engine

from app.datasets.service import DatasetService
from app.errors import InputError
from app.images.errors import UnknownImage
from app.images.repository import get_image, image_key
from app.jobs.repository import get_artifact
from app.kinds import Params
from app.media.clips import clip_format
from app.settings import WeightsFolder
from worker.contract.inputs import Inputs, Source
from worker.datasets.members import load_sets
from worker.media.clips import Clip, open_clip
from worker.media.pictures import Picture, load_picture
from worker.runtime.patience import persist


def read_input(file: BinaryIO, params: Params, name: str) -> Picture | Clip:
    """Decode a picture, or a clip where the param takes one, no larger than the job can use. InputError."""
    if params.picture_fields()[name].clips:
        data = file.read()
        if clip_format(data) is not None:
            return open_clip(data, name)
        file = BytesIO(data)
    return load_picture(file, name, params.picture_side(name))


def load_inputs(datasets: DatasetService, params: Params, weights: WeightsFolder) -> Inputs:
    """The inputs of a job of resolved params. Raises InputError that names the param if one is gone."""
    engine, storage = datasets.engine, datasets.storage

    def source(name: str, reference: str) -> Source:
        key, sha256 = _find(engine, reference, name)

        def load() -> Picture | Clip:
            try:
                file = storage.open(key)
            except FileNotFoundError:
                raise InputError(name, f"The file of {reference} is gone: send the picture again.") from None
            with file:
                return read_input(file, params, name)

        return Source(sha256, lambda: persist(load))

    sources = {
        name: [source(name, reference) for reference in references]
        for name, references in params.pictures().items()
    }
    sets, hashes = load_sets(datasets, params)
    return Inputs(sources, sets, weights, hashes, datasets)


def _find(engine: Engine, reference: str, name: str) -> tuple[str, str]:
    item_id, _, artifact_name = reference.partition("/")
    if artifact_name:
        artifact = get_artifact(engine, item_id, artifact_name)
        if artifact is None:
            raise InputError(name, f"The artifact {reference} is gone: run that job again.")
        return artifact.key, artifact.sha256
    try:
        return image_key(item_id), get_image(engine, item_id).sha256
    except UnknownImage:
        raise InputError(name, f"The image {item_id} was deleted: upload it again.") from None
