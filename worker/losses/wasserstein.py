"""The style loss of Gaussians: the squared Wasserstein distance of those that have the features' moments.

As in crowsonkb/style-transfer-pytorch (2023, ``StyleLossW2``), whose matrix square root is 12 steps of an
iteration that does not converge for the covariances of ReLUs; here it is exact.
"""

import torch
from torch import Tensor

from worker.losses.base import Loss, MeanLoss
from worker.losses.distance import Variant
from worker.losses.moments import mean_and_covariance, moment_sums
from worker.losses.sources import Styles

# Added to every variance, so that square roots have slopes: of the mean variance of the target, or, with
# crowson-2023, of features that are about 1.
LEAST_VARIANCE = 1e-4


def wasserstein_losses(styles: Styles) -> list[Loss]:
    """A :class:`WassersteinLoss` for each layer; of several styles the raw moments are blended."""
    means = styles.means(moment_sums)
    return [
        WassersteinLoss(layer, means[layer], weight, styles.variant, styles.weights(layer))
        for layer, weight in styles.layers.items()
    ]


class WassersteinLoss(MeanLoss):
    """``weight * k * (sum((m - a)**2) + trace(C + S - 2 * (S**0.5 @ C @ S**0.5)**0.5))``.

    ``m`` (N,) and ``C`` (N, N) are mean and covariance of the channels of the picture, ``a`` and ``S`` those
    of the style; the bracket is the squared distance W2 of the Gaussians (Dowson, Landau, "The Fréchet
    distance between multivariate normal distributions", 1982). ``k`` is one over the bracket for features of
    0 (``relative``), or ``1 / N`` (``crowson-2023``, for features that are about 1).
    """

    def __init__(
        self,
        layer: str,
        target: Tensor,
        weight: float,
        variant: Variant = "relative",
        weights: Tensor | None = None,
    ) -> None:
        """``target`` is (N + 1, N), means over positions of :func:`moment_sums`; ``weights`` are those of
        :class:`MeanLoss`.

        Raises ValueError for another variant.
        """
        target = _precise(target)
        self.mean, covariance = mean_and_covariance(target)
        channels = len(self.mean)
        relative = variant == "relative"
        least = LEAST_VARIANCE * float(covariance.diagonal().mean()) if relative else LEAST_VARIANCE
        self.least: float = max(least, torch.finfo(target.dtype).tiny ** 0.25)
        values, vectors = torch.linalg.eigh(_symmetric(covariance))
        values = values.clamp_min(0) + self.least
        self.trace = values.sum()
        self.root = vectors * values.sqrt() @ vectors.T
        nothing = float(self._distance(torch.zeros_like(target)))
        match variant:
            case "relative":
                self.factor = weight / max(nothing, self.least)
            case "crowson-2023":
                self.factor = weight / channels
            case _:
                raise ValueError(f"no Wasserstein distance of Gaussians in {variant}")
        super().__init__(f"style.{layer}", layer, self.factor * nothing, weights)

    def sums(self, features: Tensor, weights: Tensor | None) -> Tensor:
        """The sums over positions, (N + 1, N)."""
        return moment_sums(features, weights)

    def of_sums(self, sums: Tensor, count: float) -> Tensor:
        """The loss of the sums over all positions."""
        distance = self.factor * self._distance(_precise(sums) / count)
        found: Tensor = distance.to(sums.dtype).to(sums.device)
        return found

    def _distance(self, means: Tensor) -> Tensor:
        mean, covariance = mean_and_covariance(means)
        between = _symmetric(self.root @ covariance @ self.root) + self.least * self.root @ self.root
        # The slope of the eigenvalues alone divides by no difference of two.
        values: Tensor = torch.linalg.eigvalsh(between).clamp_min(self.least**2 / 4)
        traces = covariance.trace() + self.least * len(mean) + self.trace
        distance: Tensor = (mean - self.mean).square().sum() + traces - 2 * values.sqrt().sum()
        return distance


def _precise(matrix: Tensor) -> Tensor:
    """On the CPU in float64: not every device has that, and none finds eigenvalues much faster."""
    return matrix.cpu().double()


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.T) / 2
