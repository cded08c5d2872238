"""The frames of a dream: their number, and the picture that each starts from."""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.deep_dream import MOST_VIDEO_PIXELS, ResolvedDeepDream
from app.kinds.results.pictures import Sound
from worker.media.clips import Clip
from worker.media.videos import SOUNDS
from worker.optim.pyramids.scales import fit, resize

# Frame rate of a zoom video, slow enough to see new detail appear.
ZOOM_RATE = 15.0
# Lengths of frames that differ by less do so because files count in milliseconds.
UNSTEADY_SECONDS = 0.002


class Still:
    """A picture, or a zoom into its dream, where each frame starts from the previous one.

    ``count`` frames, at ``rate`` frames a second, as those of a :class:`Film`.
    """

    seconds: Sequence[float] | None = None
    sound: bytes | None = None
    first_shown: float = 0.0
    sound_is: Sound | None = None

    def __init__(self, picture: Tensor, count: int, params: ResolvedDeepDream) -> None:
        self.count = count
        self.rate = params.fps or ZOOM_RATE
        self._picture = resize(picture, *fit(picture, params.size))
        self._zoom, self._rotation = params.zoom, params.rotation

    def start(self, number: int, before: Tensor | None) -> Tensor:
        """The picture, (1, 3, H, W) in [0, 1]; or enlarged ``before``, the result of the last frame."""
        del number
        return self._picture if before is None else zoomed(before, self._zoom, self._rotation)


class Film:
    """A clip whose frames are processed in order; each starts blended with the previous result.

    At the clip's own rate each is shown for its own time, ``seconds`` (None: one like the other), with the
    clip's ``sound``, in whose time the first is shown at ``first_shown``.
    """

    def __init__(self, clip: Clip, count: int, params: ResolvedDeepDream) -> None:
        self.count = count
        own = clip.seconds[:count]
        self.rate = params.fps or count / sum(own)
        is_steady = max(own) - min(own) < UNSTEADY_SECONDS
        self.seconds = None if params.fps or is_steady else own
        can_have_sound = params.format == "mp4" and not params.fps and clip.sound in SOUNDS
        self.sound = clip.data if can_have_sound else None
        self.first_shown = clip.start
        self.sound_is: Sound = "none" if clip.sound is None else "copied" if can_have_sound else "left out"
        self._clip, self._blend, self._size = clip, params.blend, params.size
        self._next = 0
        self._frames: Iterator[Tensor] = iter(())

    def start(self, number: int, before: Tensor | None) -> Tensor:
        """The clip's own frame; blended with ``before``, the result of the last frame, on its device."""
        if number != self._next or number == 0:
            self._frames = self._clip.frames(number)
        self._next = number + 1
        own = next(self._frames)
        own = resize(own, *fit(own, self._size))
        return own if before is None else torch.lerp(own.to(before), before, self._blend)


def frames_of(params: ResolvedDeepDream, image: Tensor | Clip) -> Still | Film:
    """The frames of a job on a picture or clip. Raises InputError for more than can be kept."""
    if isinstance(image, Clip):
        count, (height, width) = min(image.count, params.frames or image.count), image.fit(params.size)
    else:
        count, (height, width) = params.frames or 1, fit(image, params.size)
    if count > 1 and count * height * width > MOST_VIDEO_PIXELS:
        most = MOST_VIDEO_PIXELS // (height * width)
        raise InputError(
            "size",
            f"{count} frames of {width}×{height} px are too many to keep: at most {most} of this "
            "size. Take a smaller size, or fewer frames.",
        )
    return Film(image, count, params) if isinstance(image, Clip) else Still(image, count, params)


def zoomed(picture: Tensor, zoom: float, rotation: float) -> Tensor:
    """A picture (1, 3, H, W), enlarged ``zoom`` times about its centre and rotated by some degrees.

    Counter-clockwise; what lies beyond the edges is a reflection. In [0, 1].
    """
    height, width = picture.shape[2:]
    angle = math.radians(rotation)
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    # Coordinates are in half sides, which differ in length.
    matrix = torch.tensor([[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]])
    grid = F.affine_grid(matrix[None].to(picture), list(picture.shape), align_corners=False)
    near = F.grid_sample(picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return near.clamp(0, 1)
