from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from app.errors import ComputationError
from worker.optim.descent import Descent, Evaluation
from worker.optim.optimizers.by_name import OptimizerName, make_optimizer
from worker.optim.parametrizations import Pixels
from worker.runtime.checkpoints import from_bytes, to_bytes

PIXELS = Pixels(4, 5, noise=0.2)
OPTIMA = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(1))
names = pytest.mark.parametrize("name", ["gradient", "adam", "nadam", "lbfgs"])


def quadratic(variables: Tensor, step: int = 0) -> Evaluation:
    """A loss of 0 at the optima, whose gradient is another in every step."""
    distance = variables - OPTIMA
    totals = distance.square().flatten(1).sum(1)
    return Evaluation(totals, 2 * distance - 1e-3 * step, {"objective": totals})


def begin(name: OptimizerName = "adam", deterministic: bool = False, rate: float = 0.02) -> Descent:
    variables = PIXELS.start((1, 2, 3))
    optimizer = make_optimizer(name, rate, variables, bounded=True)
    return Descent(variables, optimizer, deterministic=deterministic)


def step(descent: Descent) -> None:
    descent.step(partial(quadratic, step=descent.taken))


@names
@pytest.mark.parametrize("deterministic", [True, False])
def test_every_picture_descends(name: OptimizerName, deterministic: bool) -> None:
    descent = begin(name, deterministic)
    before = quadratic(descent.variables).total
    for _ in range(60):
        step(descent)
    descent.finish(quadratic)

    assert descent.taken == 60
    assert (quadratic(descent.best).total < 0.1 * before).all()
    assert descent.terms.keys() == {"objective"}


@names
@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("after", [0, 1, 7])
def test_it_goes_on_from_its_state_bit_for_bit(name: OptimizerName, deterministic: bool, after: int) -> None:
    whole = begin(name, deterministic)
    for _ in range(after):
        step(whole)
    state = from_bytes(to_bytes(whole.state()))
    resumed = begin(name, deterministic)
    resumed.restore(state)

    assert {k: v.tolist() for k, v in resumed.terms.items()} == {
        k: v.tolist() for k, v in whole.terms.items()
    }
    for each in (whole, resumed):
        for _ in range(5):
            step(each)
        each.finish(quadratic)
    assert torch.equal(resumed.variables, whole.variables)
    assert torch.equal(resumed.best, whole.best)
    assert resumed.taken == whole.taken


def test_the_best_of_each_picture_is_kept_if_the_loss_is_deterministic() -> None:
    descent = begin("gradient", deterministic=True, rate=0.12)
    seen = []
    for _ in range(12):
        seen.append(descent.variables)
        step(descent)
    descent.finish(quadratic)
    seen.append(descent.variables)

    totals = torch.stack([quadratic(variables).total for variables in seen])
    assert len(set(totals.argmin(0).tolist())) > 1  # or it would prove little
    expected = torch.stack([seen[best][place] for place, best in enumerate(totals.argmin(0).tolist())])
    assert torch.equal(descent.best, expected)
    assert not torch.equal(descent.best, descent.variables)


def test_what_follows_a_step_knows_its_number() -> None:
    counts = []

    def after(variables: Tensor, taken: int) -> Tensor:
        counts.append(taken)
        return torch.full_like(variables, taken / 4)

    variables = PIXELS.start((1, 2, 3))
    optimizer = make_optimizer("adam", 0.02, variables, bounded=True)
    descent = Descent(variables, optimizer, deterministic=False, after_step=after)
    for _ in range(3):
        step(descent)

    assert counts == [1, 2, 3]
    assert torch.equal(descent.variables, torch.full((3, 3, 4, 5), 0.75))


def test_a_loss_that_is_not_finite_names_the_picture() -> None:
    def broken(variables: Tensor) -> Evaluation:
        found = quadratic(variables)
        return replace(found, total=found.total * torch.tensor([1, float("nan"), 1]))

    descent = begin()
    step(descent)
    with pytest.raises(ComputationError, match="picture 1 is nan in step 2"):
        descent.step(broken)
    assert descent.taken == 1
