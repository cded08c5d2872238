"""A linear classifier of pictures, and how little it takes to fool it.

Karpathy, "Breaking linear classifiers on ImageNet", 2015, after Goodfellow, Shlens, Szegedy, "Explaining and
harnessing adversarial examples", ICLR 2015, section 3: a score is a sum over all values of a picture, so that
a change too small to be seen in any of them adds up over thousands.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

# The inverse of the weight of the L2 norm (scikit-learn's C). With less the weights are blurs, and a picture
# must be changed visibly; with more, they are noise that pictures it has not seen mean nothing to.
INVERSE_PENALTY = 0.1
MOST_ITERATIONS = 200


@dataclass(frozen=True)
class LinearClassifier:
    """Two classes told apart by the sum of a picture's values times ``weights``, plus ``bias``.

    ``weights`` have the shape of a picture, whatever that is. A score above 0 says the second class.
    """

    weights: Tensor
    bias: float = 0.0

    @classmethod
    def fit(cls, first: Tensor, second: Tensor) -> Self:
        """Logistic regression on pictures (N, ...) of two classes, in float64."""
        # Takes a second to load, which few jobs need.
        from sklearn.linear_model import LogisticRegression

        pictures = torch.cat([first, second]).double()
        # Centred, so that a common brightness need not be unlearned.
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
        """What the weights are multiplied by for the heaviest to become ``epsilon``."""
        return epsilon / float(self.weights.abs().max())

    def fool(self, pictures: Tensor, epsilon: float) -> Tensor:
        """Pictures with the multiple of the weights added: their scores rise, by as much for each.

        No value changes by more than ``epsilon``. Nothing is cut off.
        """
        return (pictures.to(self.weights) + self.multiple(epsilon) * self.weights).to(pictures.dtype)
