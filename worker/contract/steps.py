"""The contract between a kind's function and whoever consumes it.

A kind's function is a generator of steps. It knows no job, no database and no web; the runner, the
command line, the tests and the benchmarks consume the same generator. It is given resolved params, their
inputs (pictures of any size), the network that they need, prepared for the device and dtype of ``compute``
(None: they need none), and as ``resume`` the state of a step to go on from (None: from the start). That state
is used up: a function may take its tensors out of it, so that they are not kept beside what becomes of them.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from torch import Tensor

from app.networks.card import NetworkCard


@dataclass(frozen=True)
class StepState:
    """All that a generator needs to go on from a step, bit for bit on the same CPU build.

    ``tensors`` are on any device, may share memory with each other and with the run, and nobody changes them;
    ``values`` is JSON. ``parts`` are files that will not change any more (the frames of a video that are
    done), by name: each is saved once, however many states hold it.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]
    parts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step of a computation.

    ``done`` of ``total`` steps are done. ``losses``, ``image`` and ``state`` are called only when
    somebody wants them, before the generator is resumed, so that a step forces no synchronisation.

    ``losses()`` gives finite numbers by dotted name (``style.relu3_1``, ``total``); ``image()`` the
    picture so far, float32 RGB ``(1, 3, H, W)`` on any device, sRGB values in [0, 1] (None: there is none);
    ``state()`` what a later run needs to go on from here. ``milestone`` marks a step after which the state
    is worth saving earlier than otherwise: a frame is done, say. ``finish()`` asks the generator to end soon
    with the best that it has so far (None: it cannot).
    """

    done: int
    total: int
    losses: Callable[[], dict[str, float]]
    image: Callable[[], Tensor] | None
    state: Callable[[], StepState]
    milestone: bool = False
    finish: Callable[[], None] | None = None


VideoFormat = Literal["mp4", "webp"]


@dataclass(frozen=True)
class Video:
    """A video to be encoded: its frames in order, all of one size, as PNG files; frames per second.

    Each is shown as long as the others, or for its own time in ``seconds``; the last one for ``hold`` seconds
    longer. ``sound`` is the file of a clip whose sound goes into an MP4 as it is (None: no sound); then the
    first frame is shown at ``start``, in seconds of that file.
    """

    frames: Sequence[bytes]
    rate: float
    format: VideoFormat
    hold: float = 0.0
    seconds: Sequence[float] | None = None
    sound: bytes | None = field(default=None, repr=False)
    start: float = 0.0


@dataclass(frozen=True)
class File:
    """A file that is whole already. ``ending`` is that of its name, ``.csv`` say."""

    data: bytes
    media_type: str
    ending: str


@dataclass(frozen=True)
class NewNetwork:
    """A network for the catalogue, on the CPU in float32.

    ``card`` has the name that it should have; if that is taken, a number is added to it. ``weights`` are by
    the names of :class:`models.network.Network`'s stack.
    """

    card: NetworkCard
    weights: Mapping[str, Tensor]


@dataclass(frozen=True)
class Outcome:
    """What a finished generator returns.

    All by artifact name: ``images`` are pictures (``image`` first), float32 RGB ``(1, 3, H, W)`` in
    [0, 1] on the CPU, or with a fourth channel alpha; ``videos`` and ``files`` what else there is.
    ``result`` is JSON: numbers and tables. ``network`` is registered, and ``network`` in the result is the
    name that it got. ``states`` have no parts; a later job can be given one as an input.
    """

    images: dict[str, Tensor] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    videos: dict[str, Video] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    network: NewNetwork | None = None
    states: dict[str, StepState] = field(default_factory=dict)


Steps = Generator[Step, None, Outcome]


S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


def run_steps(steps: Generator[S, None, R], on_step: Callable[[S], object] | None = None) -> R:
    """Run a generator to its end, calling ``on_step`` after each step; what it returns."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            result: R = stop.value
            return result
        if on_step is not None:
            on_step(step)
        # It may hold what the next one needs the memory of.
        del step


def map_steps(steps: Generator[S, None, R], change: Callable[[S], T]) -> Generator[T, None, R]:
    """The steps of a generator, each changed; returns what the generator returns."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            result: R = stop.value
            return result
        yield change(step)
        del step
