"""Linear classifiers of cached features, whose strength of L2 is chosen on the validation part.

All minimize the mean loss plus ``strength`` times half the sum of the squared weights, on features that are
standardized; what comes out is folded, so that it takes the features as they are.
"""

import warnings
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from app.kinds.training_presets import Metric
from worker.training.confidence import temperature_of_few
from worker.training.judging import accuracies
from worker.training.objectives import Objective

Solver = Literal["svm", "head"]

# The strengths to choose from, the strongest first, and that of a set without a validation part. On 20
# pictures of each of 10 drawn classes, from efficientnet_lite0, all but the strongest are within a
# point of the best.
STRENGTHS = tuple(10.0**power for power in range(1, -5, -1))
DEFAULT_STRENGTH = 0.1

# Iterations of L-BFGS at most, and how many of them are one step; the gradient at which it ends.
MOST_ITERATIONS, IN_ONE = 300, 25
TOLERANCE = 1e-5
MOST_PASSES = 2000  # of liblinear over the pictures
# Products of a pass over all features and classes up to which arithmetic is float64.
MOST_EXACT = 10**9
# Features whose mean and deviation are computed at a time.
COLUMNS = 128


@dataclass(frozen=True)
class LinearHead:
    """Logits (n, classes) of features (n, D): ``weight`` is (classes, D), ``bias`` (classes,), float32."""

    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """The logits of features."""
        return F.linear(features, self.weight, self.bias)


@dataclass(frozen=True)
class Standardization:
    """The mean and the deviation (1 where it is 0) of each feature, (D,) float64."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """Those of features (n, D)."""
        # Some at a time, since all in float64 may be too much for the memory.
        found = [
            torch.std_mean(each.double(), 0, correction=0) for each in torch.split(features, COLUMNS, dim=1)
        ]
        deviation = torch.cat([deviation for deviation, _ in found])
        mean = torch.cat([mean for _, mean in found])
        return cls(mean, torch.where(deviation > 0, deviation, 1.0))

    def __call__(self, features: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """Standardized features."""
        return (features.to(dtype) - self.mean.to(dtype)) / self.deviation.to(dtype)

    def fold(self, weight: Tensor, bias: Tensor) -> LinearHead:
        """The head that gives for features what ``weight`` and ``bias`` give for standardized ones."""
        plain = weight.double() / self.deviation
        return LinearHead(plain.float(), (bias.double() - plain @ self.mean).float())


@dataclass(frozen=True)
class Examples:
    """Features (n, D) and classes (n,) to learn from, and those of the validation part, which may be none."""

    features: Tensor
    labels: Tensor
    validation_features: Tensor
    validation_labels: Tensor
    classes: int


@dataclass(frozen=True)
class Trial:
    """A strength, and how good it is on the validation part (None: there is none).

    ``loss`` is the cross-entropy at the temperature that suits it best, so that scores of any scale compare.
    """

    strength: float
    accuracy: float | None = None
    macro_f1: float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class FittedHead:
    """A head, and the trials of which its strength was the best."""

    head: LinearHead
    best: Trial
    trials: tuple[Trial, ...]


def fit_head(
    solver: Solver,
    examples: Examples,
    objective: Objective,
    *,
    strength: float | None = None,
    metric: Metric = "accuracy",
) -> Generator[None, None, FittedHead]:
    """The head of the strength that does best on the validation part by ``metric``, or of the one given.

    ``svm`` is scikit-learn's linear SVM, ``head`` the minimum of ``objective`` by L-BFGS. Of equals the one
    with the smaller loss is taken, then the stronger. Yields now and then, so that a job can be cancelled.
    """
    standardization = Standardization.of(examples.features)
    is_large = examples.features.numel() * examples.classes > MOST_EXACT
    standard = standardization(examples.features, torch.float32 if is_large else torch.float64)
    strengths: tuple[float, ...] = STRENGTHS
    if strength is not None:
        strengths = (strength,)
    elif not len(examples.validation_labels):
        strengths = (DEFAULT_STRENGTH,)
    fitted: list[tuple[Trial, LinearHead]] = []
    start: tuple[Tensor, Tensor] | None = None
    for each in strengths:
        if solver == "svm":
            found = _fit_svm(standard, examples.labels, each)
            yield
        else:
            # The minimum of a stronger one is a good begin.
            start = found = yield from _minimize(standard, examples, objective, each, start)
        head = standardization.fold(*found)
        fitted.append((_try(each, head, examples), head))
    trials = tuple(trial for trial, _ in fitted)
    best, head = min(fitted, key=lambda each: _badness(each[0], metric))
    return FittedHead(head, best, trials)


def _badness(trial: Trial, metric: Metric) -> tuple[float, float]:
    """What the best of some trials has the least of."""
    loss = trial.loss or 0.0
    match metric:
        case "accuracy":
            return -(trial.accuracy or 0.0), loss
        case "macro_f1":
            return -(trial.macro_f1 or 0.0), loss
        case "loss":
            return loss, 0.0


def _try(strength: float, head: LinearHead, examples: Examples) -> Trial:
    labels = examples.validation_labels
    if not len(labels):
        return Trial(strength)
    logits = head(examples.validation_features)
    loss = F.cross_entropy(logits.double() / temperature_of_few(logits, labels), labels)
    return Trial(strength, **accuracies(logits, labels), loss=float(loss))


def _fit_svm(standard: Tensor, labels: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear SVM, one class against the rest, with the squared hinge loss.

    Fan, Chang, Hsieh, Wang, Lin, "LIBLINEAR: a library for large linear classification" (JMLR 2008).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=1 / (strength * len(labels)), dual="auto", max_iter=MOST_PASSES, random_state=0)
    with warnings.catch_warnings():
        # One that has not converged is judged on the validation part like the others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(standard.numpy(), labels.numpy())
    weight, bias = (torch.from_numpy(np.asarray(each)) for each in (model.coef_, model.intercept_))
    if len(bias) == 1:
        # Of two classes there is one score; half of it for the second, half of it against the first.
        return torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    return weight, bias


def _minimize(
    standard: Tensor,
    examples: Examples,
    objective: Objective,
    strength: float,
    start: tuple[Tensor, Tensor] | None,
) -> Generator[None, None, tuple[Tensor, Tensor]]:
    """Weight and bias at the minimum, from ``start`` on."""
    targets = F.one_hot(examples.labels, examples.classes).to(standard)
    zeros = standard.new_zeros(examples.classes, standard.shape[1] + 1)
    begin = (zeros[:, 1:], zeros[:, 0]) if start is None else start
    weight, bias = (each.clone().requires_grad_(True) for each in begin)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=IN_ONE, tolerance_grad=TOLERANCE, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        loss = objective(F.linear(standard, weight, bias), targets) + strength / 2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    for _ in range(MOST_ITERATIONS // IN_ONE):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        yield
        if all(float(each.grad.abs().max()) <= TOLERANCE for each in (weight, bias) if each.grad is not None):
            break
    return weight.detach(), bias.detach()
