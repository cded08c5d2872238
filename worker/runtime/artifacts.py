"""What a job leaves behind: its outcome as files, and those in the storage."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from torch import Tensor

from app.jobs.claims import Claim
from app.jobs.job import Artifact, Json
from app.jobs.storage_keys import attempt_folder
from app.storage import Storage
from worker.contract.steps import Outcome
from worker.media.pictures import encode_png
from worker.media.videos import MEDIA_TYPES, encode_video


@dataclass(frozen=True)
class EncodedFile:
    """A file to be written: its artifact's name, the ending of its own name, and what is in it."""

    name: str
    ending: str
    media_type: str
    data: bytes


def encode(outcome: Outcome, alpha: Tensor | None, recipe: Json) -> Iterator[EncodedFile]:
    """The files of an outcome one by one, pictures first, with the recipe in each that can carry it.

    ``alpha`` is the transparency, ``(1, 1, H, W)``, that pictures without their own get.
    """
    for name, picture in outcome.images.items():
        own = picture.shape[1] == 4
        yield EncodedFile(name, ".png", "image/png", encode_png(picture, None if own else alpha, recipe))
    for name, video in outcome.videos.items():
        data = encode_video(video, recipe)
        yield EncodedFile(name, f".{video.format}", MEDIA_TYPES[video.format], data)
    for name, file in outcome.files.items():
        yield EncodedFile(name, file.ending, file.media_type, file.data)


def save_outputs(
    storage: Storage, claim: Claim, outcome: Outcome, alpha: Tensor | None, recipe: Json
) -> list[Artifact]:
    """Store the files of an outcome, and the recipe as JSON."""
    text = json.dumps(recipe, indent=2, sort_keys=True).encode()
    sidecar = EncodedFile("recipe", ".json", "application/json", text)
    made = []
    for product in chain(encode(outcome, alpha, recipe), [sidecar]):
        key = f"{attempt_folder(claim.job.id, claim.attempt)}/{product.name}{product.ending}"
        stored = storage.put(key, product.data)
        made.append(
            Artifact(claim.job.id, product.name, key, product.media_type, stored.bytes, stored.sha256)
        )
    return made
