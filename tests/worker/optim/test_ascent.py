import pytest
import torch
from torch import Tensor

from app.errors import ComputationError
from worker.optim.ascent import Ascent
from worker.optim.optimizers.by_name import OptimizerName, make_optimizer
from worker.optim.parametrizations import Pixels
from worker.optim.pursuit import Slope
from worker.runtime.checkpoints import from_bytes, to_bytes

PIXELS = Pixels(4, 5, noise=0.2)
OPTIMA = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(1))
names = pytest.mark.parametrize("name", ["gradient", "adam", "nadam", "lbfgs"])


def quadratic(variables: Tensor, step: int) -> Slope:
    """A peak of 0 at the optima, on which every step has a slope of its own."""
    distance = variables - OPTIMA
    totals = -distance.square().flatten(1).sum(1)
    return Slope(totals, -2 * distance + 1e-3 * step, {"objective": totals})


def begin(name: OptimizerName = "adam", steady: bool = False, rate: float = 0.02) -> Ascent:
    variables = PIXELS.start((1, 2, 3))
    return Ascent(variables, PIXELS, make_optimizer(name, rate, variables, bounded=True), steady=steady)


@names
@pytest.mark.parametrize("steady", [True, False])
def test_it_climbs(name: OptimizerName, steady: bool) -> None:
    ascent = begin(name, steady)
    before = quadratic(ascent.variables, 0).totals
    for _ in range(60):
        ascent.step(quadratic)
    ascent.finish(quadratic)

    assert ascent.taken == 60
    assert (quadratic(ascent.found, 0).totals > 0.1 * before).all()
    assert ascent.terms.keys() == {"objective"}


@names
@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("after", [0, 1, 7])
def test_it_goes_on_from_its_state_bit_for_bit(name: OptimizerName, steady: bool, after: int) -> None:
    whole = begin(name, steady)
    for _ in range(after):
        whole.step(quadratic)
    state = from_bytes(to_bytes(whole.state()))
    resumed = begin(name, steady)
    resumed.restore(state)

    assert {k: v.tolist() for k, v in resumed.terms.items()} == {
        k: v.tolist() for k, v in whole.terms.items()
    }
    for each in (whole, resumed):
        for _ in range(5):
            each.step(quadratic)
        each.finish(quadratic)
    assert torch.equal(resumed.variables, whole.variables)
    assert torch.equal(resumed.found, whole.found)
    assert resumed.taken == whole.taken


def test_a_steady_ascent_is_worth_the_best_of_each_picture() -> None:
    ascent = begin("gradient", steady=True, rate=0.12)
    seen = []
    for _ in range(12):
        seen.append(ascent.variables)
        ascent.step(quadratic)
    ascent.finish(quadratic)
    seen.append(ascent.variables)

    totals = torch.stack([quadratic(variables, 0).totals for variables in seen])
    assert len(set(totals.argmax(0).tolist())) > 1  # or it would prove little
    expected = torch.stack([seen[best][place] for place, best in enumerate(totals.argmax(0).tolist())])
    assert torch.equal(ascent.found, expected)
    assert not torch.equal(ascent.found, ascent.variables)


def test_what_comes_after_a_step_knows_its_number_and_the_result_is_projected() -> None:
    counts = []

    def after(variables: Tensor, taken: int) -> Tensor:
        counts.append(taken)
        return variables + taken

    variables = PIXELS.start((1, 2, 3))
    solver = make_optimizer("adam", 0.02, variables, bounded=True)
    ascent = Ascent(variables, PIXELS, solver, steady=False, after=after)
    for _ in range(3):
        ascent.step(quadratic)

    assert counts == [1, 2, 3]
    assert torch.equal(ascent.variables, torch.ones(3, 3, 4, 5))


def test_an_objective_that_is_not_finite_names_the_picture() -> None:
    def broken(variables: Tensor, step: int) -> Slope:
        slope = quadratic(variables, step)
        return Slope(slope.totals * torch.tensor([1, float("nan"), 1]), slope.gradient, slope.terms)

    ascent = begin()
    ascent.step(quadratic)
    with pytest.raises(ComputationError, match="picture 1 is nan in step 2"):
        ascent.step(broken)
    assert ascent.taken == 1
