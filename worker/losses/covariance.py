"""The style loss of means and covariances: a Gram matrix whose mean counts by itself.

Risser, Wilmot, Barnes, "Stable and controllable neural texture synthesis and style transfer using histogram
losses", 2017, section 3.1, show that pictures of other mean and variance have the same Gram matrix (they come
out with another contrast), but not the same mean and covariance.
"""

from torch import Tensor

from worker.losses.base import Loss, MeanLoss
from worker.losses.distance import energy, squared_distance
from worker.losses.moments import mean_and_covariance, moment_sums
from worker.losses.sources import Styles


def covariance_losses(styles: Styles) -> list[Loss]:
    """A :class:`CovarianceLoss` for each layer; of several styles the raw moments are blended."""
    means = styles.means(moment_sums)
    return [
        CovarianceLoss(layer, means[layer], weight, styles.weights(layer))
        for layer, weight in styles.layers.items()
    ]


class CovarianceLoss(MeanLoss):
    """``weight / 2 * (sum((m - a)**2) / sum(a**2) + sum((C - S)**2) / sum(S**2))``.

    ``m`` (N,) and ``C`` (N, N) are mean and covariance of the channels of the picture, ``a`` and ``S`` those
    of the style. Features of 0 have a loss of ``weight``.
    """

    def __init__(self, layer: str, target: Tensor, weight: float, weights: Tensor | None = None) -> None:
        """``target`` is (N + 1, N), means over positions of :func:`moment_sums`; ``weights`` are those of
        :class:`MeanLoss`.
        """
        self.mean, self.covariance = mean_and_covariance(target)
        self.factors = weight / 2 / energy(self.mean), weight / 2 / energy(self.covariance)
        super().__init__(f"style.{layer}", layer, weight, weights)

    def sums(self, features: Tensor, weights: Tensor | None) -> Tensor:
        """The sums over positions, (N + 1, N)."""
        return moment_sums(features, weights)

    def of_sums(self, sums: Tensor, count: float) -> Tensor:
        """The loss of the sums over all positions."""
        mean, covariance = mean_and_covariance(sums / count)
        of_mean, of_covariance = self.factors
        return of_mean * squared_distance(mean, self.mean) + of_covariance * squared_distance(
            covariance, self.covariance
        )
