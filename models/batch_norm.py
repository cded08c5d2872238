"""Folding a batch norm into the convolution before it.

Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
shift" (ICML 2015), section 3.1: at inference the normalisation is an affine map, so it can be made part of
the convolution. :mod:`models.trainable` has the norms in training.
"""

from collections.abc import Mapping

from torch import Tensor


def fold(weights: Mapping[str, Tensor], conv: str, norm: str, epsilon: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what the named one without bias and its norm do.

    The arithmetic is float64, element by element, so the result is the same on every machine.
    """
    weight = weights[f"{conv}.weight"]
    scale, bias, mean, variance = (
        weights[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = scale / (variance + epsilon).sqrt()
    widened = weight.double() * gain.view(-1, 1, 1, 1)
    return widened.to(weight.dtype), (bias - mean * gain).to(weight.dtype)
