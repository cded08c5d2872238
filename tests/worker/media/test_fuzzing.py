"""Damaged files of every format, through all that an upload and a job do with them.

Each is refused with a documented error, or becomes a picture or frames of the size that its header says.
"""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.errors import InputError
from app.images.errors import NoThumbnail
from app.images.thumbnails import read_small
from app.media import PictureError, inspect_upload, read_recipe
from app.media.clips import is_clip
from app.settings import Settings
from app.storage import FolderStorage
from tests.support.fuzzing import SEEDS, damaged
from worker.media.clips import open_clip
from worker.media.pictures import load_picture

# Small enough for every picture that is taken to be decoded at once.
LIMITS = Settings(max_image_pixels=200_000, max_clip_frames=20)
REFUSALS = {413, 415, 422}
SHOWN = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
EVERY = pytest.mark.parametrize("format", SEEDS)


def go_through(data: bytes) -> None:
    """What the service and a worker do with an upload. Raises what neither should."""
    assert read_recipe(BytesIO(data)) is None
    try:
        info = inspect_upload(BytesIO(data), LIMITS)
    except PictureError as error:
        assert error.status in REFUSALS and error.detail.count(" ") > 3
        return
    assert 0 < info.width * info.height <= LIMITS.max_image_pixels
    try:
        if is_clip(data):
            clip = open_clip(data, "image")
            for frame in clip.frames():
                assert frame.shape == (1, 3, clip.height, clip.width) and frame.isfinite().all()
            assert min(clip.seconds) > 0 and np.isfinite(clip.rate)
        else:
            picture = load_picture(BytesIO(data), "image")
            assert picture.rgb.shape == (1, 3, info.height, info.width)
            assert picture.rgb.isfinite().all() and picture.rgb.min() >= 0 and picture.rgb.max() <= 1
    except InputError as error:
        assert error.field == "image" and error.detail


@pytest.mark.medium
@EVERY
def test_some_damage(format: str) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=SHOWN, database=None)
    @given(damaged(format))
    def fuzz(data: bytes) -> None:
        go_through(data)

    fuzz()


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("examples", [6000, pytest.param(12000, marks=pytest.mark.long)])
def test_much_damage(format: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=SHOWN,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @given(damaged(format))
    def fuzz(data: bytes) -> None:
        go_through(data)

    fuzz()


@pytest.mark.medium
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=SHOWN, database=None)
@given(data=st.sampled_from(sorted(SEEDS)).flatmap(damaged))
def test_a_thumbnail_of_anything_is_made_or_refused(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    storage = FolderStorage(tmp_path_factory.mktemp("files"), 0)
    storage.put("images/a", data)
    try:
        image = read_small(storage, "images/a", 160, LIMITS.max_image_pixels)
    except NoThumbnail as error:
        assert error.detail
        return
    assert max(image.size) <= 160
