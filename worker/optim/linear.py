"""A linear classifier of pictures, and pictures that fool it.

Karpathy, "Breaking linear classifiers on ImageNet", 2015, after Goodfellow, Shlens, Szegedy, "Explaining and
harnessing adversarial examples", ICLR 2015, section 3: a score is a sum over all values of a picture, so that
a change too small to be seen in any of them adds up over thousands.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

# The inverse of the weight of the L2 norm (scikit-learn's C). With less the weights are blurred, and pictures
# must be changed visibly; with more they are noise that does not generalise.
INVERSE_PENALTY = 0.1
MOST_ITERATIONS = 200


@dataclass(frozen=True)
class LinearClassifier:
    """Two classes; the score of a picture is the sum of its values times ``weights``, plus ``bias``.

    ``weights`` has the shape of a picture. A score above 0 means the second class.
    """

    weights: Tensor
    bias: float = 0.0

    @classmethod
    def fit(cls, first: Tensor, second: Tensor) -> Self:
        """Logistic regression on pictures (N, ...) of two classes, in float64."""
        # Slow to import, and few jobs need it.
        from sklearn.linear_model import LogisticRegression

        pictures = torch.cat([first, second]).double()
        # Centred, which takes the common brightness out of the fit.
        middle = pictures.mean(0)
        labels = torch.cat([torch.zeros(len(first)), torch.ones(len(second))])
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_ITERATIONS)
        model.fit((pictures - middle).flatten(1).numpy(), labels.numpy())
        weights = torch.from_numpy(model.coef_[0]).view(middle.shape)
        return cls(weights, float(model.intercept_[0]) - float((weights * middle).sum()))

    def score(self, pictures: Tensor) -> Tensor:
        """Scores (N,) of pictures (N, ...)."""
        return (pictures.to(self.weights) * self.weights).flatten(1).sum(1) + self.bias

    def probability(self, pictures: Tensor) -> Tensor:
        """The probability of the second class, (N,)."""
        return self.score(pictures).sigmoid()

    def multiple(self, epsilon: float) -> float:
        """The factor that makes the largest absolute weight ``epsilon``."""
        return epsilon / float(self.weights.abs().max())

    def fool(self, pictures: Tensor, epsilon: float) -> Tensor:
        """Pictures plus a multiple of the weights, which raises all scores by the same amount.

        No value changes by more than ``epsilon``. Values are not clamped.
        """
        return (pictures.to(self.weights) + self.multiple(epsilon) * self.weights).to(pictures.dtype)
