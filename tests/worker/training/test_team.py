"""Training on two ranks on the CPU, over gloo."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.kinds.training_presets import Optimizer as OptimizerName
from models.trainable import Trainable, initialize, new_trainable
from worker.contract.compute import Compute
from worker.contract.steps import Step, StepState
from worker.training import team
from worker.training.learner import Classes, Lesson
from worker.training.loop import Batch, train
from worker.training.objectives import ObjectiveSettings
from worker.training.optimizers import OptimizerSettings, make_optimizer
from worker.training.plan import Plan, pack_state, plan_of, unpack_state
from worker.training.ranks import backend_for, shares_of
from worker.training.team import RanksLost

ONE = Compute(torch.device("cpu"), threads=1)
TWO = replace(ONE, partners=(torch.device("cpu"),))
SIDE = 8


class Course:
    """Random pictures of three classes; the last batch is small."""

    seed = 0
    steps = 6
    scored = True

    @property
    def lesson(self) -> Lesson:
        return Classes(ObjectiveSettings("softmax"))

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        count = 3 if step == self.steps - 1 else 9
        pictures = torch.rand(count, 3, SIDE, SIDE, generator=generator)
        return Batch(pictures, F.one_hot((pictures[:, 0, 0, 0] * 3).long(), 3).float())

    def factor(self, step: int) -> float:
        return 1 - step / 10

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        return {"rate": rate}


def small_model(batch_norm: bool = False) -> Trainable:
    params = {"n": 1, "m": 1, "k": 0, "width": 4, "side": SIDE, "classes": 3}
    model = new_trainable("cnn", params, mean=(0.5,) * 3, std=(0.5,) * 3, batch_norm=batch_norm)
    return initialize(model, 1)


def trained(
    compute: Compute,
    optimizer: OptimizerName = "adamw",
    resume: StepState | None = None,
    steps: int | None = None,
    batch_norm: bool = False,
) -> tuple[dict[str, Tensor], list[dict[str, float]], Step]:
    model = small_model(batch_norm)
    made = make_optimizer(model, OptimizerSettings(optimizer, 0.05, weight_decay=0.01))
    numbers, last = [], None
    for step in train(model, made, Course(), compute, resume):
        numbers.append(step.losses())
        last = step
        if step.done == steps:
            break
    assert last is not None
    return {name: each.detach().clone() for name, each in model.state_dict().items()}, numbers, last


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    yield
    if team._team is not None:
        team._team.close()


pytestmark = pytest.mark.server


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_two_ranks_end_where_one_does(optimizer: OptimizerName) -> None:
    one, one_numbers, _ = trained(ONE, optimizer)
    two, two_numbers, _ = trained(TWO, optimizer)
    assert (
        max(float((each - small_model().state_dict()[name]).abs().max()) for name, each in one.items()) > 0.01
    )
    torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-4 if optimizer == "muon" else 1e-5)
    for found, expected in zip(two_numbers, one_numbers, strict=True):
        assert found == pytest.approx(expected, rel=1e-3)


def test_two_ranks_resume_where_they_were() -> None:
    whole, _, _ = trained(TWO)
    _, _, middle = trained(TWO, steps=3)
    state = middle.state()
    resumed, numbers, _ = trained(TWO, resume=state)
    assert len(numbers) == 3
    torch.testing.assert_close(resumed, whole, rtol=0, atol=0)


def test_norms_take_the_statistics_of_a_share() -> None:
    one, _, _ = trained(ONE, batch_norm=True)
    two, _, _ = trained(TWO, batch_norm=True)
    assert all(bool(torch.isfinite(each).all()) for each in two.values())
    name = next(name for name in one if name.endswith("running_mean"))
    assert not torch.equal(one[name], two[name])
    torch.testing.assert_close(two[name], one[name], rtol=0, atol=0.3)


def test_the_ranks_last_for_the_next_training() -> None:
    trained(TWO, steps=1)
    first = team._team
    trained(TWO, steps=1)
    assert team._team is first


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def listens_at(pid: int) -> set[str]:
    """The addresses at which a process waits for connections, in the hex of Linux."""
    sockets = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell who listens")
def test_no_other_machine_reaches_the_ranks() -> None:
    trained(TWO, steps=1)
    there = team._team
    assert there is not None
    mine = listens_at(os.getpid())
    assert mine
    assert mine | listens_at(there._children[0].pid) <= LOOPBACK


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_a_plan_makes_the_same_learner_of_json(optimizer: OptimizerName) -> None:
    model = small_model(batch_norm=True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen, *_ = model.parameters()
    frozen.requires_grad_(False)
    made = make_optimizer(model, OptimizerSettings(optimizer, 0.05, weight_decay=0.01))
    lesson = Classes(ObjectiveSettings("hinge", 2.0), l1=0.1, l2=0.2)
    model(torch.rand(2, 3, SIDE, SIDE)).sum().backward()
    made.step()
    told = plan_of(model, made, lesson, replace(ONE, dtype=torch.bfloat16)).model_dump_json()
    plan = Plan.model_validate_json(told)
    again = plan.model(torch.device("cpu"))
    theirs = plan.make_optimizer(again)
    unpack_state(pack_state(model, made), again, theirs)
    for (name, one), (its_name, other) in zip(
        model.named_parameters(), again.named_parameters(), strict=True
    ):
        assert (name, one.shape, one.stride(), one.requires_grad) == (
            its_name,
            other.shape,
            other.stride(),
            other.requires_grad,
        )
    expected, found = made.state_dict(), theirs.state_dict()
    torch.testing.assert_close(found["state"], expected["state"], rtol=0, atol=0)
    for own, other in zip(expected["param_groups"], found["param_groups"], strict=True):
        assert {**other, "betas": None} == {**own, "betas": None}
        assert tuple(other.get("betas", ())) == tuple(own.get("betas", ()))
    assert plan.lesson() == lesson
    assert plan.compute(torch.device("cpu")) == replace(ONE, dtype=torch.bfloat16)


def test_a_rank_that_is_killed_ends_the_training_and_not_the_next() -> None:
    model = small_model()
    steps = train(model, make_optimizer(model, OptimizerSettings("sgd", 0.05)), Course(), TWO)
    next(steps)
    there = team._team
    assert there is not None
    os.kill(there._children[0].pid, signal.SIGKILL)
    with pytest.raises(RanksLost, match="rank 1 of the training, on cpu, ended with SIGKILL"):
        for _ in steps:
            pass
    trained(TWO, steps=1)
    assert team._team is not there


@pytest.mark.slow
def test_a_rank_that_is_killed_between_trainings_ends_the_next() -> None:
    trained(TWO, steps=1)
    there = team._team
    assert there is not None
    os.kill(there._children[0].pid, signal.SIGKILL)
    with pytest.raises(RanksLost, match="rank 1 of the training, on cpu, ended with SIGKILL"):
        trained(TWO, steps=1)
    trained(TWO, steps=1)


@settings(deadline=None)
@given(n=st.integers(1, 300), ranks=st.integers(1, 9))
def test_shares_are_even_and_whole(n: int, ranks: int) -> None:
    sizes, shares = shares_of(n, ranks)
    assert len(sizes) == len(shares) == ranks
    assert sum(shares) == pytest.approx(1)
    if n >= 2 * ranks:
        assert sum(sizes) == n
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= 2
    else:
        assert sizes == [n] * ranks


@pytest.mark.parametrize(
    ("devices", "backend"),
    [
        (["cpu", "cpu"], "gloo"),
        (["cuda:0", "cuda:1"], "nccl"),
        (["cuda:0", "cuda:0"], "gloo"),
        (["cuda:0", "cpu"], "gloo"),
    ],
)
def test_gpus_of_their_own_talk_over_nccl(devices: list[str], backend: str) -> None:
    assert backend_for([torch.device(device) for device in devices]) == backend
