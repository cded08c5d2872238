"""Parametrizations by name."""

from collections.abc import Callable

from worker.optim.parametrizations.base import Parametrization
from worker.optim.parametrizations.fourier import Fourier
from worker.optim.parametrizations.phase import Phase
from worker.optim.parametrizations.pixels import Pixels

Color = tuple[float, float, float]

# From height, width, mean color and deviation of the noise to start from. A new one is a line here.
_MAKERS: dict[str, Callable[[int, int, Color, float], Parametrization]] = {
    "pixels": Pixels,
    "fourier": lambda height, width, _, noise: Fourier(height, width, noise),
    "phase": lambda height, width, *_: Phase(height, width),
}


def make_parametrization(
    name: str, height: int, width: int, *, mean: Color, noise: float | None
) -> Parametrization:
    """A parametrization of pictures of ``height`` by ``width`` pixels.

    It starts from noise of standard deviation ``noise`` (None: 0) about the color ``mean``, where it has a
    use for these.
    """
    return _MAKERS[name](height, width, mean, noise or 0.0)
