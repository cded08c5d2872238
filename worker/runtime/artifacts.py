"""The outcome of a job as files."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from app.jobs.job import Json
from app.kinds.fields import BitDepth, PictureFormat
from app.media.recipe_text import STATE_RECIPE_KEY, dump_recipe
from worker.contract.steps import Outcome, StepState
from worker.media.picture_files import encode_picture
from worker.media.pictures import straight
from worker.media.videos import MEDIA_TYPES, encode_video
from worker.runtime.checkpoints import KIND, file_of
from worker.runtime.tensor_files import TensorFile


@dataclass(frozen=True)
class EncodedFile:
    """A file to be written. ``name`` is the artifact's, ``ending`` the suffix of the file name (``.png``).

    ``data`` may be iterated more than once.
    """

    name: str
    ending: str
    media_type: str
    data: bytes | Iterable[bytes]


def encode(
    outcome: Outcome, alpha: Tensor | None, recipe: Json, kept_as: tuple[PictureFormat, BitDepth] = ("png", 8)
) -> Iterator[EncodedFile]:
    """The files of an outcome one by one, pictures first, with the recipe in each format that can store it.

    ``alpha`` is the transparency, ``(1, 1, H, W)``, of pictures that have none of their own, and that were
    made from one on white; ``kept_as`` the format of pictures, and their bits a channel.
    """
    format_, bit_depth = kept_as
    for name, picture in outcome.images.items():
        if picture.shape[1] == 4 or alpha is None:
            data = encode_picture(picture, None, recipe, format_, bit_depth)
        else:
            data = encode_picture(straight(picture, alpha), alpha, recipe, format_, bit_depth)
        yield EncodedFile(name, f".{format_}", f"image/{format_}", data)
    for name, video in outcome.videos.items():
        data = encode_video(video, recipe)
        yield EncodedFile(name, f".{video.format}", MEDIA_TYPES[video.format], data)
    for name, file in outcome.files.items():
        yield EncodedFile(name, file.ending, file.media_type, file.data)
    for name, state in outcome.states.items():
        yield EncodedFile(name, ".safetensors", "application/octet-stream", state_file(state, recipe))


def state_file(state: StepState, recipe: Json) -> TensorFile:
    """The file of a state, with the recipe in its header."""
    return file_of(state, {KIND: recipe["kind"], STATE_RECIPE_KEY: dump_recipe(recipe)})


def encode_recipe(recipe: Json) -> EncodedFile:
    """The recipe as a JSON file of its own."""
    text = json.dumps(recipe, indent=2, sort_keys=True).encode()
    return EncodedFile("recipe", ".json", "application/json", text)
