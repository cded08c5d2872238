"""Linear classifiers of features: the same as scikit-learn's, folded, and chosen on the validation part."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from worker.contract.steps import run_steps
from worker.training import linear_heads
from worker.training.linear_heads import (
    DEFAULT_STRENGTH,
    STRENGTHS,
    Examples,
    FittedHead,
    Solver,
    Standardization,
    fit_head,
)
from worker.training.objectives import quadratic, softmax

CLASSES = 4


def clusters(count: int, seed: int, classes: int = CLASSES, width: int = 12) -> tuple[Tensor, Tensor]:
    """Points about a center of each class, some of them nearer to another; features of all scales."""
    centers = torch.randn(classes, width, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    points = centers[labels] + 0.8 * torch.randn(count, width, generator=generator)
    return points * torch.logspace(-2, 2, width) + 5, labels


def examples(classes: int = CLASSES, validation: int = 80) -> Examples:
    """Points to learn from, and others to choose by."""
    return Examples(*clusters(120, 1, classes), *clusters(validation, 2, classes), classes)


def fit(solver: Solver, given_: Examples, strength: float | None = None) -> FittedHead:
    return run_steps(fit_head(solver, given_, softmax, strength=strength))


@pytest.mark.parametrize("classes", [2, CLASSES])
@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_the_svm_is_that_of_scikit_learn(classes: int, strength: float) -> None:
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    given_ = examples(classes)
    scaler = StandardScaler().fit(given_.features.double().numpy())
    theirs = LinearSVC(C=1 / (strength * 120), dual="auto", max_iter=2000, random_state=0)
    theirs.fit(scaler.transform(given_.features.double().numpy()), given_.labels.numpy())
    unseen, _ = clusters(500, 3, classes)
    logits = fit("svm", given_, strength).head(unseen)
    expected = theirs.decision_function(scaler.transform(unseen.double().numpy()))
    if classes == 2:
        expected = np.stack([-expected, expected], 1) / 2
    torch.testing.assert_close(logits, torch.from_numpy(expected).float(), rtol=1e-4, atol=1e-4)
    assert logits.argmax(1).tolist() == theirs.predict(scaler.transform(unseen.double().numpy())).tolist()


def test_the_softmax_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    given_ = examples()
    standard = StandardScaler().fit(given_.features.double().numpy())
    theirs = LogisticRegression(C=1 / (0.01 * 120), tol=1e-8, max_iter=5000)
    theirs.fit(standard.transform(given_.features.double().numpy()), given_.labels.numpy())
    unseen, _ = clusters(500, 3)
    ours = fit("head", given_, 0.01).head(unseen)
    expected = theirs.predict_log_proba(standard.transform(unseen.double().numpy()))
    torch.testing.assert_close(ours.log_softmax(1), torch.from_numpy(expected).float(), rtol=1e-3, atol=1e-3)


def test_the_least_squares_have_their_closed_form() -> None:
    given_ = examples()
    head = run_steps(fit_head("head", given_, quadratic, strength=0.1)).head
    standardization = Standardization.of(given_.features)
    x, y = standardization(given_.features), F.one_hot(given_.labels, CLASSES).double()
    gram = x.T @ x / len(x) + 0.1 * torch.eye(x.shape[1])
    weight = torch.linalg.solve(gram, x.T @ (y - y.mean(0)) / len(x)).T
    expected = standardization.fold(weight, y.mean(0))
    torch.testing.assert_close(head(given_.features), expected(given_.features), rtol=1e-3, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 12))
def test_folding_changes_no_score(seed: int, count: int, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, width, generator=generator) * 3 + 1
    features[:, 0] = 2.0  # One that never changes.
    weight, bias = torch.randn(3, width, generator=generator), torch.randn(3, generator=generator)
    standardization = Standardization.of(features)
    plain = standardization.fold(weight, bias)(features)
    torch.testing.assert_close(
        plain.double(),
        F.linear(standardization(features), weight.double(), bias.double()),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("solver", ["svm", "head"])
def test_the_strength_is_chosen_on_the_validation_part(solver: Solver) -> None:
    given_ = examples()
    found = fit(solver, given_)
    assert tuple(trial.strength for trial in found.trials) == STRENGTHS
    alone = [fit(solver, given_, strength) for strength in STRENGTHS]
    right = [
        float((each.head(given_.validation_features).argmax(1) == given_.validation_labels).float().mean())
        for each in alone
    ]
    assert found.best.accuracy == pytest.approx(max(right), abs=0.02)
    assert found.best in found.trials
    best = max(found.trials, key=lambda trial: (trial.accuracy or 0, -(trial.loss or 0)))
    assert found.best == best


def test_the_metric_decides() -> None:
    given_ = examples()
    by_loss = run_steps(fit_head("svm", given_, softmax, metric="loss"))
    assert by_loss.best.loss == min(trial.loss or 0 for trial in by_loss.trials)


def test_nothing_is_chosen_without_a_validation_part() -> None:
    found = fit("head", examples(validation=0))
    assert found.best.strength == DEFAULT_STRENGTH
    assert found.best.accuracy is None
    assert len(found.trials) == 1


def test_one_picture_a_class_is_enough() -> None:
    features, labels = clusters(CLASSES, 1)
    given_ = Examples(features, labels, features[:0], labels[:0], CLASSES)
    for solver in ("svm", "head"):
        assert fit(solver, given_).head(features).argmax(1).tolist() == labels.tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", ["svm", "head"])
def test_large_sets_are_learned_in_float32(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = examples()
    unseen, _ = clusters(500, 3)
    exact = fit(solver, given_, 0.1).head(unseen)
    monkeypatch.setattr(linear_heads, "MOST_EXACT", 0)
    torch.testing.assert_close(fit(solver, given_, 0.1).head(unseen), exact, rtol=1e-2, atol=1e-2)
