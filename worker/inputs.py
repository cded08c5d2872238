"""The pictures that a job needs, from the storage to tensors."""

from dataclasses import dataclass, field

from sqlalchemy import Engine
from torch import Tensor

from app.jobs.errors import InputError
from app.jobs.kinds import Params
from app.jobs.pictures import UnknownImage, get_image, image_key
from app.jobs.repository import get_artifact
from app.storage import Storage
from worker.pictures import load_picture


@dataclass(frozen=True)
class Inputs:
    """Loaded pictures by param: float32 RGB ``(1, 3, H, W)`` in [0, 1], and alpha ``(1, 1, H, W)`` or None.

    ``hashes`` are the SHA-256 of their files, for the recipe.
    """

    pictures: dict[str, list[Tensor]] = field(default_factory=dict)
    alphas: dict[str, list[Tensor | None]] = field(default_factory=dict)
    hashes: dict[str, list[str]] = field(default_factory=dict)


def load_inputs(engine: Engine, storage: Storage, params: Params) -> Inputs:
    """Load every picture that a job names, no larger than the job can use.

    Raises InputError that names the param if a picture is gone or will not decode.
    """
    inputs = Inputs()
    for name, references in params.pictures().items():
        side = params.picture_side(name)
        for reference in references:
            key, sha256 = _find(engine, reference, name)
            try:
                file = storage.open(key)
            except FileNotFoundError:
                raise InputError(name, f"The file of {reference} is gone: send the picture again.") from None
            with file:
                picture = load_picture(file, name, side)
            inputs.pictures.setdefault(name, []).append(picture.rgb)
            inputs.alphas.setdefault(name, []).append(picture.alpha)
            inputs.hashes.setdefault(name, []).append(sha256)
    return inputs


def _find(engine: Engine, reference: str, name: str) -> tuple[str, str]:
    owner, _, artifact_name = reference.partition("/")
    if artifact_name:
        artifact = get_artifact(engine, owner, artifact_name)
        if artifact is None:
            raise InputError(name, f"The artifact {reference} is gone: run that job again.")
        return artifact.key, artifact.sha256
    try:
        return image_key(owner), get_image(engine, owner).sha256
    except UnknownImage:
        raise InputError(name, f"The image {owner} was deleted: upload it again.") from None
