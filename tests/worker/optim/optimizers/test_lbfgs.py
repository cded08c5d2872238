from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from app.kinds.work import HISTORY, HISTORY_BUDGET, LEAST_HISTORY, affordable_history, is_history_halved
from tests.support.peak_memory import PeakMemory
from worker.contract.steps import StepState
from worker.optim.optimizers import lbfgs as module
from worker.optim.optimizers import preconditioned_lbfgs
from worker.optim.optimizers.lbfgs import FIRST_STEP, LARGEST_STEP, LBFGS
from worker.optim.optimizers.preconditioned_lbfgs import PreconditionedLBFGS

CURVATURES = torch.linspace(0.5, 20, 12, dtype=torch.float64).view(1, 3, 2, 2)


def rand(seed: int) -> Tensor:
    return torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def descend(optimizer: LBFGS, picture: Tensor, optimum: Tensor, steps: int) -> Tensor:
    """Descend the quadratic of CURVATURES about ``optimum``."""
    for _ in range(steps):
        picture = optimizer.step(picture, CURVATURES * (picture - optimum))
    return picture


def size(vector: Tensor) -> float:
    return float(vector.square().mean().sqrt())


def test_the_first_step_goes_down_the_gradient_by_a_fixed_length() -> None:
    picture, gradient = torch.full((1, 3, 2, 2), 0.5, dtype=torch.float64), 1e-9 * (rand(1) - 0.5)

    step = LBFGS().step(picture, gradient) - picture

    assert torch.allclose(step, -gradient * FIRST_STEP / size(gradient))


def test_it_converges_on_a_quadratic() -> None:
    optimum = 0.2 + 0.6 * rand(2)

    found = descend(LBFGS(), rand(3), optimum, 60)

    assert torch.allclose(found, optimum, atol=1e-8)


def test_it_converges_onto_the_bounds() -> None:
    optimum = 3 * rand(4) - 1
    assert float(optimum.min()) < 0
    assert float(optimum.max()) > 1

    found = descend(LBFGS(), rand(5), optimum, 100)

    assert torch.allclose(found, optimum.clamp(0, 1), atol=1e-6)


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_ends_where_l_bfgs_b_does_in_a_box(seed: int, spread: float) -> None:
    """A dense quadratic of condition 1e3, whose optimum without bounds lies ``spread`` around the middle."""
    generator = np.random.default_rng(seed)
    size = 60
    rotation, _ = np.linalg.qr(generator.normal(size=(size, size)))
    hessian = (rotation * np.geomspace(1, 1e3, size)) @ rotation.T
    free_optimum = generator.normal(0.5, spread, size)

    def loss(x: np.ndarray) -> float:
        return float((x - free_optimum) @ hessian @ (x - free_optimum)) / 2

    def gradient(x: np.ndarray) -> np.ndarray:
        return hessian @ (x - free_optimum)

    start = np.full(size, 0.5)
    theirs = minimize(
        loss,
        start,
        jac=gradient,
        method="L-BFGS-B",
        bounds=[(0, 1)] * size,
        options={"maxiter": 10_000, "maxfun": 10_000, "ftol": 1e-16, "gtol": 1e-12},
    )
    assert {0, 1} <= set(theirs.x)

    optimizer, x = LBFGS(), torch.tensor(start).view(1, -1)
    for _ in range(150):
        x = optimizer.step(x, torch.tensor(gradient(x[0].numpy())).view(1, -1))

    assert loss(x[0].numpy()) - theirs.fun < 1e-9 * (loss(start) - theirs.fun)


def test_a_variable_that_is_pushed_outwards_is_held_and_comes_back_when_it_is_pulled() -> None:
    picture = torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.5]], dtype=torch.float64)
    gradient = torch.tensor([[1.0, -1.0, -1.0, 1.0, 1.0]], dtype=torch.float64)

    step = LBFGS().step(picture, gradient) - picture

    assert step.sign().tolist() == [[0, 1, 0, -1, -1]]


def test_the_two_loop_recursion_is_the_dense_update() -> None:
    """Nocedal and Wright, Numerical Optimization, equations 7.16 and 7.20."""
    optimizer, pictures, gradients = LBFGS(history=3), [0.4 + 0.2 * rand(6)], []
    optimum = 0.4 + 0.2 * rand(7)
    for _ in range(6):
        gradients.append(CURVATURES * (pictures[-1] - optimum))
        pictures.append(optimizer.step(pictures[-1], gradients[-1]))

    steps = [(b - a).flatten() for a, b in pairwise(pictures[:-1])][-3:]
    changes = [(b - a).flatten() for a, b in pairwise(gradients)][-3:]
    inverse = torch.eye(12, dtype=torch.float64) * (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
    for step, change in zip(steps, changes, strict=True):
        project = torch.eye(12, dtype=torch.float64) - torch.outer(change, step) / (step @ change)
        inverse = project.T @ inverse @ project + torch.outer(step, step) / (step @ change)
    expected = -(inverse @ gradients[-1].flatten())

    assert torch.allclose((pictures[-1] - pictures[-2]).flatten(), expected, rtol=1e-9)


def test_a_pair_of_negative_curvature_is_not_used() -> None:
    picture = torch.full((1, 3, 2, 2), 0.5, dtype=torch.float64)
    first = 1e-3 * (rand(8) - 0.5)
    optimizer = LBFGS()
    moved = optimizer.step(picture, first)

    # The gradient has grown along the step: a concave function.
    second = 1.5 * first
    step = optimizer.step(moved, second) - moved

    assert torch.allclose(step, -second * FIRST_STEP / size(first))


def test_no_step_is_longer_than_the_largest() -> None:
    picture = torch.full((1, 3, 2, 2), 0.5, dtype=torch.float64)
    optimizer = LBFGS()
    first = rand(9) - 0.5
    moved = optimizer.step(picture, first)

    # Hardly any curvature: the secant step would be a thousand times the first.
    step = optimizer.step(moved, 0.999 * first) - moved

    assert abs(size(step) - LARGEST_STEP) < 1e-9


def test_a_gradient_of_zero_moves_nothing() -> None:
    picture, optimizer = rand(10), LBFGS()

    for _ in range(3):
        moved = optimizer.step(picture, torch.zeros_like(picture))
        assert torch.equal(moved, picture)


def test_the_scale_of_the_loss_does_not_matter() -> None:
    optimum, paths = 0.2 + 0.6 * rand(11), []
    for factor in (1.0, 2.0**-40, 2.0**40):
        picture, optimizer = rand(12), LBFGS()
        for _ in range(15):
            picture = optimizer.step(picture, factor * CURVATURES * (picture - optimum))
        paths.append(picture)

    assert torch.equal(paths[0], paths[1])
    assert torch.equal(paths[0], paths[2])


def test_it_goes_on_from_its_state_bit_for_bit() -> None:
    optimum = rand(13)
    for steps in (0, 1, 2, 15):
        optimizer, restored = LBFGS(), LBFGS()
        picture = descend(optimizer, rand(14), optimum, steps)
        restored.restore(optimizer.state())

        assert torch.equal(descend(optimizer, picture, optimum, 5), descend(restored, picture, optimum, 5))


def test_the_history_is_bounded_by_memory() -> None:
    def history(height: int, width: int) -> int:
        return affordable_history(3 * height * width * 4)

    assert history(1024, 1024) == HISTORY
    # In bfloat16 a pair of a large one is as large as the picture.
    assert not is_history_halved(3 * 1024 * 1024 * 4) and is_history_halved(3 * 1600 * 1600 * 4)
    assert history(1600, 1600) == HISTORY
    assert LEAST_HISTORY < history(3072, 4096) < HISTORY
    assert history(3072, 4096) * 3 * 3072 * 4096 * 4 <= HISTORY_BUDGET
    assert history(8192, 8192) == LEAST_HISTORY


def test_no_more_pairs_are_kept_than_asked_for() -> None:
    optimizer = LBFGS(history=4)
    descend(optimizer, rand(18), rand(19), 9)

    kept = optimizer.state().tensors
    assert {name for name in kept if name.startswith("steps.")} == {f"steps.{place}" for place in range(4)}
    assert kept["weights"].shape == (4,)


def test_it_goes_on_from_a_state_whose_pairs_were_one_tensor() -> None:
    optimizer, restored, optimum = LBFGS(), LBFGS(), rand(20)
    picture = descend(optimizer, rand(21), optimum, 7)
    state = optimizer.state()
    steps, changes = (
        torch.cat([state.tensors.pop(f"{name}.{place}") for place in range(6)])
        for name in ("steps", "changes")
    )
    restored.restore(StepState({**state.tensors, "steps": steps, "changes": changes}, state.values))

    assert torch.equal(descend(optimizer, picture, optimum, 5), descend(restored, picture, optimum, 5))


@pytest.mark.parametrize("kind", [LBFGS, PreconditionedLBFGS])
@pytest.mark.parametrize("halved", [False, True])
def test_chunks_change_nothing_but_the_last_bits(
    monkeypatch: pytest.MonkeyPatch, kind: type[LBFGS], halved: bool
) -> None:
    def path(chunk: int) -> Tensor:
        for each in (module, preconditioned_lbfgs):
            monkeypatch.setattr(each, "CHUNK", chunk)
        optimizer, picture = kind(5, halved=halved), rand(22)
        for _ in range(6):
            picture = optimizer.step(picture, CURVATURES * (picture - rand(23)))
        return picture

    torch.testing.assert_close(path(5), path(1 << 20), rtol=1e-9, atol=1e-9)


def test_pairs_in_bfloat16_converge_as_well() -> None:
    optimum = 3 * rand(4) - 1
    found = descend(LBFGS(halved=True), rand(5), optimum, 100)
    assert torch.allclose(found, optimum.clamp(0, 1), atol=1e-6)


@pytest.mark.parametrize("kind", [LBFGS, PreconditionedLBFGS])
def test_a_step_takes_a_copy_and_what_is_new_of_the_pairs(
    monkeypatch: pytest.MonkeyPatch, kind: type[LBFGS]
) -> None:
    for each in (module, preconditioned_lbfgs):
        monkeypatch.setattr(each, "CHUNK", 1 << 12)
    optimizer = kind(2, halved=True)
    optimum, picture = (torch.rand(1, 3, 256, 256) for _ in range(2))
    for _ in range(4):
        picture = optimizer.step(picture, picture - optimum)
    gradient = picture - optimum
    with PeakMemory() as memory:
        optimizer.step(picture, gradient)
    # A pair in bfloat16, of which the oldest gives its place, the next picture, and the spectra of this one.
    spectra = 0 if kind is LBFGS else 1.7
    assert memory.peak < (2.1 + spectra) * picture.nbytes


def test_restart_forgets_and_shortens() -> None:
    optimizer = LBFGS()
    picture = descend(optimizer, rand(15), rand(16), 4)
    optimizer.restart(0.5)
    gradient = 1e-3 * (rand(17) - 0.5)

    inside = 0.5 * torch.ones_like(picture)
    step = optimizer.step(inside, gradient) - inside

    assert torch.allclose(step, -gradient * 0.5 * FIRST_STEP / size(gradient))
