"""Stacks of every kind that has them: each job gets what it gets alone, up to rounding."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from app.errors import ComputationError, InputError
from app.kinds import KINDS
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.networks import make_classifier, make_convolutions
from tests.support.stack_cases import (
    Case,
    cases,
    style_case,
)
from tests.support.stacks import ends_of
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.losses.loss_sum import LossSum
from worker.optim import together
from worker.optim.descent import Evaluation
from worker.optim.together import Wanted, evaluate_all
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.runtime.functions import load_function, load_stack_function
from worker.synthesis.style_transfer import style_transfer_loss

Losses = list[dict[str, float]]


@pytest.fixture(autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """The threads that a test computes with: one, unless it says otherwise."""
    before = torch.get_num_threads()
    count: int = getattr(request, "param", 1)
    torch.set_num_threads(count)
    yield count
    torch.set_num_threads(before)


def network_for(case: Case, dtype: torch.dtype) -> Network:
    return make_classifier(dtype) if case.kind == "feature_inversion" else make_convolutions(dtype)


def style_loss(network: Network) -> LossSum:
    """A loss of pictures of 48 x 64."""
    params = StyleTransferParams.model_validate({"content": "c", "style": ["s"]}).resolve(SHIPPED)
    layers = {"content_layers": {"relu2": 1.0}, "style_layers": {"relu1": 1.0}}
    return style_transfer_loss(
        params.model_copy(update=layers), network, drawn(48, 64, 7), [drawn(40, 40, 8)]
    )


def run_alone(
    case: Case, place: int, network: Network, resume: StepState | None = None
) -> tuple[Outcome, Losses]:
    seen: Losses = []
    params, pictures = case.jobs[place]
    compute = Compute(torch.device("cpu"), network.dtype)
    function = load_function(KINDS[case.kind].function)
    steps = function(params, Inputs.of(pictures), network, compute, resume)
    return run_steps(steps, lambda step: seen.append(step.losses())), seen


def run_stacked(
    case: Case,
    network: Network,
    resumes: dict[int, StepState] | None = None,
    on_step: Callable[[int, Step], bool] = lambda place, step: True,
) -> tuple[dict[int, Outcome | Exception], dict[int, Losses]]:
    seen: dict[int, Losses] = {place: [] for place in range(len(case.jobs))}

    def follow(place: int, step: Step) -> bool:
        seen[place].append(step.losses())
        return on_step(place, step)

    entry_point = KINDS[case.kind].stack_function
    assert entry_point is not None
    compute = Compute(torch.device("cpu"), network.dtype)
    steps = load_stack_function(entry_point)(case.stacked(resumes), network, compute)
    return ends_of(steps, follow), seen


def outcome(end: Outcome | Exception) -> Outcome:
    assert isinstance(end, Outcome), end
    return end


class Passes:
    """Compares each evaluation of a stack with the loss by itself, and counts what was evaluated together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tolerance: float) -> None:
        self.sizes: list[int] = []
        self.tolerance = tolerance
        monkeypatch.setattr("worker.synthesis.stacking.evaluate_all", self)
        monkeypatch.setattr(together, "_evaluate", self.group)
        self._group = _evaluate

    def group(self, wanted: Sequence[Wanted]) -> list[Evaluation]:
        self.sizes.append(len(wanted))
        return self._group(wanted)

    def __call__(self, wanted: Sequence[Wanted]) -> list[Evaluation]:
        if self.tolerance < 1e-6:
            # What starts from noise does so in float32.
            wanted = [replace(each, variables=each.variables.double()) for each in wanted]
        found = evaluate_all(wanted)
        for each, evaluation in zip(wanted, found, strict=True):
            expected = each.evaluate()
            assert evaluation.terms.keys() == expected.terms.keys()
            for name, term in expected.terms.items():
                assert evaluation.terms[name].shape == term.shape
                assert float(evaluation.terms[name]) == pytest.approx(float(term), rel=self.tolerance)
            assert float(evaluation.total) == pytest.approx(float(expected.total), rel=self.tolerance)
            off = (evaluation.gradient - expected.gradient).norm() / expected.gradient.norm()
            assert evaluation.gradient.shape == expected.gradient.shape
            assert float(off) < self.tolerance
        return found


_evaluate = together._evaluate


@pytest.mark.medium
@cases
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_losses_and_gradients_are_those_alone(
    case: Case, dtype: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dtype is torch.float64:
        case = replace(
            case,
            jobs=[
                (params, {name: [each.double() for each in several] for name, several in pictures.items()})
                for params, pictures in case.jobs
            ],
        )
    passes = Passes(monkeypatch, tolerance)
    ends, _ = run_stacked(case, network_for(case, dtype))
    assert all(isinstance(end, Outcome) for end in ends.values())
    assert set(passes.sizes) == {3}


@pytest.mark.medium
@cases
@pytest.mark.parametrize(("threads", "sizes"), [(2, [1, 2])], indirect=["threads"])
def test_each_thread_makes_passes_of_its_own(
    case: Case, threads: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = Passes(monkeypatch, 1e-5)
    seen: set[tuple[str, int]] = set()

    def noted(wanted: Sequence[Wanted]) -> list[Evaluation]:
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        return passes.group(wanted)

    monkeypatch.setattr(together, "_evaluate", noted)
    ends, _ = run_stacked(case, network_for(case, torch.float32))
    assert all(isinstance(end, Outcome) for end in ends.values())
    rounds = len(passes.sizes) // len(sizes)
    assert sorted(passes.sizes) == sorted(sizes * rounds)
    assert {count for _, count in seen} == {1}
    assert all(name.startswith("single-thread") for name, _ in seen)
    others: list[int] = []
    other = threading.Thread(target=lambda: others.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert [torch.get_num_threads(), *others] == [threads, threads]


@pytest.mark.parametrize(
    ("threads", "count", "sizes", "with_all_threads"),
    [
        pytest.param(2, 3, [1, 1], [1], id="an odd one"),
        pytest.param(2, 5, [2, 2], [1], id="a small last pass"),
        pytest.param(4, 3, [], [1, 1, 1], id="fewer than threads"),
    ],
    indirect=["threads"],
)
def test_what_would_leave_threads_idle_is_evaluated_with_all_of_them(
    network: Network,
    threads: int,
    count: int,
    sizes: list[int],
    with_all_threads: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loss = style_loss(network)
    # Each thread has room for so many.
    monkeypatch.setattr(together, "CPU_PIXELS", threads * max([1, *sizes]) * loss.pixels)
    seen: list[tuple[int, int]] = []

    def noted(wanted: Sequence[Wanted]) -> list[Evaluation]:
        seen.append((torch.get_num_threads(), len(wanted)))
        return _evaluate(wanted)

    monkeypatch.setattr(together, "_evaluate", noted)
    pictures = [drawn(48, 64, seed) for seed in range(count)]
    found = evaluate_all([Wanted(loss, picture) for picture in pictures])
    assert [size for count, size in seen if count == 1] == sizes
    assert [size for count, size in seen if count == threads] == with_all_threads
    for evaluation, picture in zip(found, pictures, strict=True):
        assert float(evaluation.total) == pytest.approx(float(loss(picture).total), rel=1e-5)


@pytest.mark.parametrize("threads", [4], indirect=True)
def test_passes_at_a_time_fit_into_the_memory_of_one(
    network: Network, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = style_loss(network)
    monkeypatch.setattr(loss.tiling, "most_together", 2)
    running, most = 0, 0
    lock = threading.Lock()

    def noted(wanted: Sequence[Wanted]) -> list[Evaluation]:
        nonlocal running, most
        with lock:
            running += len(wanted)
            most = max(most, running)
        found = _evaluate(wanted)
        with lock:
            running -= len(wanted)
        return found

    monkeypatch.setattr(together, "_evaluate", noted)
    evaluate_all([Wanted(loss, drawn(48, 64, seed)) for seed in range(8)])
    assert most <= 2


@pytest.mark.medium
@cases
def test_each_ends_with_the_loss_that_it_has_alone(case: Case) -> None:
    network = network_for(case, torch.float32)
    ends, seen = run_stacked(case, network)
    for place in range(len(case.jobs)):
        expected, losses = run_alone(case, place, network)
        made = outcome(ends[place])
        assert len(seen[place]) == len(losses)
        assert seen[place][0]["total"] == pytest.approx(losses[0]["total"], rel=1e-5)
        # L-BFGS spreads what rounding began.
        assert seen[place][-1]["total"] == pytest.approx(losses[-1]["total"], rel=0.02)
        assert made.images.keys() == expected.images.keys()
        assert made.result.keys() == expected.result.keys()
        assert made.images["image"].shape == expected.images["image"].shape


@pytest.mark.medium
@cases
def test_a_job_that_leaves_changes_no_other_much_and_one_that_resumes_goes_on(case: Case) -> None:
    network = network_for(case, torch.float32)
    kept: list[bytes] = []

    def until_the_third(place: int, step: Step) -> bool:
        if place == 1 and step.done == 3:
            kept.append(to_bytes(step.state()))
        return not (place == 1 and step.done == 3)

    ends, whole = run_stacked(case, network, on_step=until_the_third)
    assert ends.keys() == {0, 2} and len(whole[1]) == 3
    # Alone, and beside jobs that are steps behind.
    # Who goes on from a state uses it up.
    _, after = run_alone(case, 1, network, from_bytes(kept[0]))
    _, expected = run_alone(case, 1, network)
    assert len(after) == len(expected) - 3
    assert after[0]["total"] == pytest.approx(expected[3]["total"], rel=1e-3)
    again, seen = run_stacked(case, network, {1: from_bytes(kept[0])})
    assert again.keys() == {0, 1, 2} and len(seen[1]) == len(expected) - 3
    for losses, alone in zip(seen[1], after, strict=True):
        assert losses["total"] == pytest.approx(alone["total"], rel=0.02)


@pytest.mark.medium
def test_an_explosion_a_flat_end_and_a_failure_of_one_touch_no_other(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = style_case()
    undisturbed, calm = run_stacked(case, network)
    take = LossSum.evaluate_together
    calls = 0

    def spoil(self: LossSum, losses: Sequence[LossSum], variables: Sequence[Tensor]) -> list[Evaluation]:
        nonlocal calls
        found = take(self, losses, variables)
        if len(losses) == 3:
            calls += 1
            if calls == 3:
                found[1] = replace(found[1], total=found[1].total * float("nan"))
        return found

    monkeypatch.setattr(LossSum, "evaluate_together", spoil)
    ends, seen = run_stacked(case, network)
    assert [outcome(ends[place]).result["rollbacks"] for place in range(3)] == [0, 1, 0]
    assert seen[0] == calm[0] and seen[2] == calm[2] and seen[1] != calm[1]
    assert outcome(ends[0]).images["image"].equal(outcome(undisturbed[0]).images["image"])

    def always(self: LossSum, losses: Sequence[LossSum], variables: Sequence[Tensor]) -> list[Evaluation]:
        found = take(self, losses, variables)
        if len(losses) == 3:
            found[1] = replace(found[1], total=found[1].total * float("nan"))
        return found

    monkeypatch.setattr(LossSum, "evaluate_together", always)
    ends, seen = run_stacked(case, network)
    assert isinstance(ends[1], ComputationError) and seen[1] == []
    assert len(seen[0]) == len(seen[2]) == 8
    assert outcome(ends[0]).result["rollbacks"] == 0


def test_one_that_cannot_begin_fails_alone_and_another_size_is_evaluated_by_itself(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = style_case()
    (first, pictures), second, third = case.jobs
    narrow = {"content": [drawn(64, 3, 1)], "style": pictures["style"]}
    other = {"content": [drawn(64, 48, 1)], "style": pictures["style"]}
    case = Case(case.kind, [(first, narrow), second, third, (first, other)])
    passes = Passes(monkeypatch, 1e-5)
    ends, _ = run_stacked(case, network)
    assert isinstance(ends[0], InputError) and ends[0].field == "size"
    assert outcome(ends[3]).images["image"].shape == (1, 3, 64, 48)
    assert passes.sizes == [2, 1] * 8


def test_what_an_evaluation_raises_is_raised(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[Evaluation]:
        raise MemoryError

    monkeypatch.setattr(LossSum, "evaluate_together", fail)
    with pytest.raises(MemoryError):
        run_stacked(style_case(), network)


def test_passes_are_as_large_as_is_of_use(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "CPU_PIXELS", 2 * (48 + 32) * (64 + 32))
    passes = Passes(monkeypatch, 1e-5)
    run_stacked(style_case(), network)
    assert passes.sizes == [2, 1] * 8
