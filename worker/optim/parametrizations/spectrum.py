"""Pictures as spectra of decorrelated colors.

Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017, section "Preconditioning and
parameterization": steepest descent in a basis in which the pixels of photographs are uncorrelated takes large
and small shapes forward at the same pace, and leaves no high-frequency noise.
"""

import torch
from torch import Tensor

# Square root of the covariance of the RGB values of ImageNet's pictures, column by column the three
# decorrelated colors (light and dark, blue and orange, green and purple), divided by the longest column: the
# published constants of lucid (optvis/param/color.py).
COLORS = (
    (0.56282854, 0.19482527, 0.04329450),
    (0.58447580, 0.0, -0.10823626),
    (0.58447580, -0.19482527, 0.06494176),
)


def frequencies(height: int, width: int) -> Tensor:
    """Length of the frequency of each coefficient of ``rfft2``, (height, width // 2 + 1) float32.

    In cycles a pixel: 0 to sqrt(1/2).
    """
    vertical, horizontal = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    return torch.hypot(vertical[:, None], horizontal[None, :])


def frequency_scale(height: int, width: int, decay: float = 1.0) -> Tensor:
    """1 / frequency**decay, the shape of photographs' amplitudes, as :func:`frequencies`.

    The constant, of frequency 0, counts as the longest wave that fits.
    """
    return frequencies(height, width).clamp_min(1 / max(height, width)).pow(-decay)


def irfft2(spectrum: Tensor, width: int) -> Tensor:
    """The real signal (..., H, width) of a complex half-spectrum (..., H, width // 2 + 1).

    Scaled so that the root of the mean square of signal and (whole) spectrum are equal.
    """
    # Without the width an odd one could not be told from the even one below it.
    values: Tensor = torch.fft.irfft2(spectrum, s=(spectrum.shape[-2], width), norm="ortho")
    return values


def color_correlate(colors: Tensor) -> Tensor:
    """RGB, of any range, from decorrelated colors; both (N, 3, H, W)."""
    matrix = torch.tensor(COLORS, dtype=colors.dtype, device=colors.device)
    return torch.einsum("rc,nchw->nrhw", matrix, colors)
