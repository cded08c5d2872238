"""The pictures that a job needs, from the storage to tensors."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from sqlalchemy import Engine
from torch import Tensor

from app.errors import InputError
from app.images.repository import UnknownImage, get_image, image_key
from app.jobs.repository import get_artifact
from app.kinds import Params
from app.media.clips import clip_format
from app.storage import Storage
from worker.media.clips import Clip, open_clip
from worker.media.pictures import Picture, load_picture


@dataclass(frozen=True)
class Inputs:
    """Loaded pictures by param: float32 RGB ``(1, 3, H, W)`` in [0, 1], and alpha ``(1, 1, H, W)`` or None.

    Where a param takes clips there may be one in the place of a picture. ``hashes`` are the SHA-256 of their
    files, for the recipe.
    """

    pictures: dict[str, list[Tensor | Clip]] = field(default_factory=dict)
    alphas: dict[str, list[Tensor | None]] = field(default_factory=dict)
    hashes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, picture: Picture | Clip, sha256: str) -> None:
        """Put a picture after those that the param has already."""
        rgb, alpha = (picture.rgb, picture.alpha) if isinstance(picture, Picture) else (picture, None)
        self.pictures.setdefault(name, []).append(rgb)
        self.alphas.setdefault(name, []).append(alpha)
        self.hashes.setdefault(name, []).append(sha256)

    def alpha_for(self, params: Params) -> Tensor | None:
        """The transparency that the result of a job keeps, if there is any."""
        found = self.alphas.get(params.keeps_alpha_of() or "")
        return found[0] if found else None


def read_input(file: BinaryIO, params: Params, name: str) -> Picture | Clip:
    """A picture, or a clip where the param takes one, no larger than the job can use. InputError."""
    if params.picture_fields()[name].clips:
        data = file.read()
        if clip_format(data) is not None:
            return open_clip(data, name)
        file = BytesIO(data)
    return load_picture(file, name, params.picture_side(name))


def load_inputs(engine: Engine, storage: Storage, params: Params) -> Inputs:
    """Load every picture that a job names, no larger than the job can use.

    Raises InputError that names the param if a picture is gone or will not decode.
    """
    inputs = Inputs()
    for name, references in params.pictures().items():
        for reference in references:
            key, sha256 = _find(engine, reference, name)
            try:
                file = storage.open(key)
            except FileNotFoundError:
                raise InputError(name, f"The file of {reference} is gone: send the picture again.") from None
            with file:
                inputs.add(name, read_input(file, params, name), sha256)
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
