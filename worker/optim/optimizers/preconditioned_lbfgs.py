"""L-BFGS whose first estimate of the inverse Hessian differs by spatial frequency and by color."""

import math
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from worker.contract.steps import StepState
from worker.optim.optimizers.lbfgs import LBFGS

# Bands of frequencies, an octave each, from the finest; all that is coarser is in the last.
BANDS = 6

# Frequencies whose shares in the bands are worked out at once.
CHUNK = 1 << 18

# Of what was known of a band, the share that is left when a pair is added.
MEMORY = 0.9
# A band with less than this share of all energy, of steps or of changes, counts as if it had as much.
LEAST_SHARE = 1e-6

# Orthogonal: gray, red against blue, green against both.
Color = tuple[float, float, float]
COLORS: tuple[Color, Color, Color] = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)


class PreconditionedLBFGS(LBFGS):
    """:class:`LBFGS` for pictures (1, 3, H, W), whose initial matrix is learned from the pairs.

    The curvature of a style transfer differs by orders of magnitude between fine and coarse frequencies, and
    between lightness and color. So the initial matrix is diagonal in the Fourier transform of orthogonal
    colors (:data:`COLORS`), with a value for each color and octave that a frequency lies in, or between two
    of which it lies: the root of the energy of recent steps over that of the changes of the gradient along
    them (as the diagonal that Gilbert and Lemarechal, "Some numerical experiments with variable-storage
    quasi-Newton algorithms", Mathematical Programming 45, 1989, update, with means over bands). It is scaled
    so that the newest pair has the curvature that it was measured to have.
    """

    def __init__(
        self, history: int, *, bounded: bool = True, halved: bool = False, like: Self | None = None
    ) -> None:
        """As :class:`LBFGS`; begin with what ``like`` knows of the bands, at the scale before."""
        super().__init__(history, bounded=bounded, halved=halved)
        self._energies: Tensor = torch.zeros(2, 3, BANDS) if like is None else like._energies
        self._places: Tensor | None = None

    def _first_gamma(self, gradient: Tensor) -> Tensor:
        return super()._first_gamma(self._scaled(gradient))

    def _learn(self, step: Tensor, change: Tensor) -> None:
        # First: where memory runs out here the step is taken again, and its pair must not be kept twice.
        places = self._places_in(step)
        new = torch.stack([_energies(step, places), _energies(change, places)])
        super()._learn(step, change)
        useful = self._weights[-1] > 0
        along = 1 / self._weights[-1].clamp_min(torch.finfo(new.dtype).tiny)
        energies = self._energies.to(new)
        # The energy of changes counts as 1, so that large steps do not outweigh small ones.
        shares = new / new[1].sum().clamp_min(torch.finfo(new.dtype).tiny)
        self._energies = torch.where(useful, MEMORY * energies + shares, energies)
        curvature = (self._factors() * new[1]).sum().clamp_min(torch.finfo(new.dtype).tiny)
        self._gamma = torch.where(useful, along / curvature, self._gamma)

    def _initial(self, direction: Tensor) -> Tensor:
        return super()._initial(self._scaled(direction))

    def _factors(self) -> Tensor:
        """What each color and band is multiplied by, (3, BANDS); 1 before anything is known."""
        totals = self._energies.sum((1, 2), keepdim=True)
        steps, changes = (self._energies.maximum(LEAST_SHARE * totals)).unbind()
        return torch.where(totals[1] > 0, (steps / changes.clamp_min(1e-38)).sqrt(), 1.0)

    def _scaled(self, picture: Tensor) -> Tensor:
        """A picture (1, 3, H, W) with each color and band multiplied by its factor; in place."""
        self._energies, places = self._energies.to(picture), self._places_in(picture)
        # Together as large as the picture, which then takes what becomes of them.
        spectra = [_spectrum(picture, color) for color in COLORS]
        factors = self._factors()
        for shares, *parts in _chunks(places, *spectra):
            for part, factor in zip(parts, factors @ shares, strict=True):
                part *= factor
        picture.zero_()
        for color in COLORS:
            plane = torch.fft.irfft2(spectra.pop(0), s=picture.shape[-2:], norm="ortho")
            for channel, share in enumerate(color):
                picture[0, channel].add_(plane, alpha=share)
        return picture

    def _places_in(self, picture: Tensor) -> Tensor:
        """:func:`_places` of a picture, kept for the next one, which is of the same size."""
        height, width = picture.shape[-2:]
        if self._places is None or self._places.shape != (height, width // 2 + 1):
            self._places = _places(picture)
        return self._places

    def state(self) -> StepState:
        """All that :meth:`restore` needs."""
        state = super().state()
        return StepState({**state.tensors, "energies": self._energies}, state.values)

    def restore(self, state: StepState) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        super().restore(state)
        self._energies = state.tensors["energies"]


def _spectrum(picture: Tensor, color: Color) -> Tensor:
    """The half spectrum of one of COLORS of a picture (1, 3, H, W): (H, W // 2 + 1), complex."""
    # One color at a time, since a large picture has little memory beside it.
    plane = torch.zeros_like(picture[0, 0], dtype=_precise(picture.dtype))
    for channel, share in zip(picture[0], color, strict=True):
        plane.add_(channel, alpha=share)
    spectrum: Tensor = torch.fft.rfft2(plane, norm="ortho")
    return spectrum.contiguous()


def _energies(picture: Tensor, places: Tensor) -> Tensor:
    """The energy of each color and band of a picture (1, 3, H, W), (3, BANDS), of the sum of its squares."""
    squares = [torch.view_as_real(_spectrum(picture, color)).square().sum(-1) for color in COLORS]
    for each in squares:
        # The half that is left out mirrors that which is there, but for the first column, and an even last.
        each[:, 1 : (picture.shape[-1] + 1) // 2] *= 2
    parts = [torch.stack(each) @ shares.T.to(each[0]) for shares, *each in _chunks(places, *squares)]
    return torch.stack(parts).sum(0)


def _chunks(places: Tensor, *planes: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The shares of some frequencies in the bands, (BANDS, N), of sum 1, and views (N,) of their planes.

    ``places`` and ``planes`` are (H, W // 2 + 1), ``places`` as :func:`_places`; between two bands a
    frequency belongs to both.
    """
    bands = torch.arange(BANDS, device=places.device)[:, None]
    for part, *own in zip(*(torch.split(plane.flatten(), CHUNK) for plane in (places, *planes)), strict=True):
        yield (1 - (part - bands).abs()).clamp_min(0), *own


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _places(picture: Tensor) -> Tensor:
    """The octave below half a cycle a pixel of each frequency of a picture: (H, W // 2 + 1)."""
    (height, width), device = picture.shape[-2:], picture.device
    rows, columns = torch.fft.fftfreq(height, device=device), torch.fft.rfftfreq(width, device=device)
    frequency = torch.hypot(rows[:, None], columns[None]).clamp_min(2.0**-16)
    return (-torch.log2(2 * frequency)).clamp(0, BANDS - 1).to(_precise(picture.dtype))
