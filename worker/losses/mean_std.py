"""The style loss of means and standard deviations: the marginal moments of each channel.

Li, Wang, Liu, Hou, "Demystifying neural style transfer", IJCAI 2017, section 4.2 (batch normalization
statistics); Huang, Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
ICCV 2017, equation 13.
"""

import torch
from torch import Tensor

from worker.losses.base import Loss, MeanLoss
from worker.losses.moments import power_sums
from worker.losses.sources import Styles

# Of the mean variance of the target, added to each variance: a channel without any has no slope otherwise.
LEAST_VARIANCE = 1e-6


def mean_std_losses(styles: Styles) -> list[Loss]:
    """A :class:`MeanStdLoss` for each layer; of several styles the raw moments are blended."""
    means = styles.means(power_sums)
    return [
        MeanStdLoss(layer, means[layer], weight, styles.weights(layer))
        for layer, weight in styles.layers.items()
    ]


class MeanStdLoss(MeanLoss):
    """``weight * (sum((m - a)**2) + sum((s - b)**2)) / (sum(a**2) + sum(b**2))``.

    ``m`` and ``s`` are mean and standard deviation of each channel of the picture, ``a`` and ``b`` those of
    the style. Features of 0 have a loss of ``weight``.
    """

    def __init__(self, layer: str, target: Tensor, weight: float, weights: Tensor | None = None) -> None:
        """``target`` is (2, C), means over positions of values and of squares; ``weights`` are those of
        :class:`MeanLoss`.
        """
        variance = target[1] - target[0].square()
        self.least = variance.clamp_min(0).mean() * LEAST_VARIANCE + torch.finfo(target.dtype).tiny
        self.target = self._moments(target)
        nothing = self._distance(torch.zeros_like(target))
        self.factor = weight / nothing.clamp_min(torch.finfo(target.dtype).tiny)
        super().__init__(f"style.{layer}", layer, weight, weights)

    def sums(self, features: Tensor, weights: Tensor | None) -> Tensor:
        """The sums over positions, (2, C)."""
        return power_sums(features, weights)

    def of_sums(self, sums: Tensor, count: float) -> Tensor:
        """The loss of the sums over all positions."""
        return self.factor * self._distance(sums / count)

    def _distance(self, means: Tensor) -> Tensor:
        return (self._moments(means) - self.target).square().sum()

    def _moments(self, means: Tensor) -> Tensor:
        mean, square = means
        return torch.stack([mean, ((square - mean.square()).clamp_min(0) + self.least).sqrt()])
