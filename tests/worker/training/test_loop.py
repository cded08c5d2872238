from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import ComputationError
from worker.contract.compute import Compute
from worker.contract.steps import Step
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.training import loop
from worker.training.adversary import one_step_l2
from worker.training.loop import CHECK_EVERY, eval_logits, train
from worker.training.muon import NormedMuon
from worker.training.palette import palette_model
from worker.training.phases import Cycle, Phase, PhasedCourse, Sample, Schedule

CPU = Compute(torch.device("cpu"))
PHASES = (
    Phase(3, size=8, batch=8, mixed=0.5),
    Phase(5, size=12, batch=6, radius=(0.1, 0.5), attacked=0.5, mixed=0.0),
)
SCHEDULE = Schedule((Cycle(PHASES),), seed=7)


def one_phase(phase: Phase) -> Schedule:
    return Schedule((Cycle((phase,)),))


def small_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


def sample(generator: torch.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Pictures whose brightest channel is their class."""
    classes = torch.randint(0, 3, (count,), generator=generator)
    pictures = 0.4 * torch.rand(count, 3, size, size, generator=generator)
    return pictures + 0.5 * F.one_hot(classes, 3).view(count, 3, 1, 1), classes


def run(
    schedule: Schedule, stop_after: int | None = None, kept: bytes | None = None
) -> tuple[nn.Module, list[Step]]:
    model = small_model()
    resume = None if kept is None else from_bytes(kept)
    steps = []
    for step in train(model, NormedMuon(model, 0.05), PhasedCourse(sample, 3, schedule), CPU, resume):
        steps.append(step)
        if step.done == stop_after:
            break
    return model, steps


def test_it_learns_what_can_be_learned() -> None:
    model, steps = run(one_phase(Phase(60, size=8, batch=16, mixed=0.0)))
    pictures, classes = sample(torch.Generator().manual_seed(99), 60, 8)
    right = eval_logits(model, pictures, CPU).argmax(1) == classes
    assert float(right.float().mean()) > 0.9
    assert steps[-1].losses()["loss"] < 0.6


@pytest.mark.parametrize("interrupted_after", [2, 3, 5])
def test_resumed_is_uninterrupted(interrupted_after: int) -> None:
    whole, _ = run(SCHEDULE)
    _, first = run(SCHEDULE, stop_after=interrupted_after)
    resumed, rest = run(SCHEDULE, kept=to_bytes(first[-1].state()))
    assert [step.done for step in rest] == list(range(interrupted_after + 1, 9))
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_the_seed_decides_the_training() -> None:
    first, _ = run(SCHEDULE)
    again, _ = run(SCHEDULE)
    assert torch.equal(first[0].weight, again[0].weight)
    for seed in (8, 7 + 2**32, 7 + 2**62):
        other, _ = run(Schedule(SCHEDULE.cycles, seed=seed))
        assert not torch.equal(first[0].weight, other[0].weight), seed


def test_the_seed_decides_the_first_weights() -> None:
    drawn = [palette_model(seed).stack.conv1_1.conv.weight for seed in (7, 7, 7 + 2**32)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_rates_rise_and_fall_and_radii_grow() -> None:
    _, steps = run(Schedule((Cycle(PHASES, warm_up=0.25, last_rate=0.1),)))
    numbers = [step.losses() for step in steps]
    rates = [each["rate"] for each in numbers]
    # Of NormedMuon's 0.05.
    assert rates[:2] == pytest.approx([0.025, 0.05])
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(0.005)
    assert [each["radius"] for each in numbers] == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_attacks_leave_no_trace_in_the_norms_or_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    attacks: list[Tensor] = []

    def undone(pictures: Tensor, *given: Any) -> Tensor:
        """The attack, but with the pictures as they were, so that both trainings see the same."""
        attacks.append(one_step_l2(pictures, *given) - pictures)
        return pictures

    def means(attacked: float) -> Tensor:
        model = small_model()
        phase = Phase(1, size=8, batch=8, radius=(0.5, 0.5), attacked=attacked, mixed=0.0)
        for _ in train(model, NormedMuon(model, 0.0), PhasedCourse(sample, 3, one_phase(phase)), CPU):
            pass
        assert all(parameter.requires_grad for parameter in model.parameters())
        assert int(model[1].num_batches_tracked) == 1
        return model[1].running_mean

    monkeypatch.setattr(loop, "one_step_l2", undone)
    torch.testing.assert_close(means(0.5), means(0.0), rtol=0, atol=0)
    assert [len(each) for each in attacks] == [4]
    assert float(attacks[0].abs().max()) > 0.01


def test_an_attack_changes_its_share_of_the_batch_by_its_radius() -> None:
    def batch(attacked: float) -> Tensor:
        # Cut to the first 16 of the batch, in rows of four.
        _, steps = run(one_phase(Phase(1, size=8, batch=16, radius=(0.3, 0.3), attacked=attacked, mixed=0.0)))
        return steps[0].image().unfold(2, 8, 8).unfold(3, 8, 8)[0].permute(1, 2, 0, 3, 4).flatten(0, 1)

    moved = (batch(0.5) - batch(0.0)).flatten(1).norm(dim=1)
    # Less where a value would leave [0, 1].
    assert 0.2 < float(moved[:8].min()) <= float(moved[:8].max()) <= 0.3 + 1e-5
    assert not moved[8:].any()


def broken_sample(after: int) -> Sample:
    """As ``sample``, but from a number of batches on the pictures are not numbers."""
    batches = 0

    def broken(generator: torch.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        nonlocal batches
        batches += 1
        pictures, classes = sample(generator, count, size)
        return (pictures * torch.nan if batches > after else pictures), classes

    return broken


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    model = small_model()
    model[5].weight.data.fill_(float("nan"))
    step = next(train(model, NormedMuon(model, 0.05), PhasedCourse(sample, 3, SCHEDULE), CPU))
    for ask in (step.losses, step.state):
        with pytest.raises(ComputationError, match="loss is nan after 1 steps"):
            ask()


@pytest.mark.parametrize(
    ("steps", "sane", "last"),
    [(200, 0, CHECK_EVERY), (200, CHECK_EVERY + 3, 2 * CHECK_EVERY), (10, 5, 10), (10, 9, 10)],
)
def test_a_loss_that_nobody_reads_ends_the_training(steps: int, sane: int, last: int) -> None:
    model = small_model()
    schedule = one_phase(Phase(steps, size=4, batch=2, mixed=0.0))
    done = 0
    with pytest.raises(ComputationError, match=f"loss is nan after {sane + 1} steps"):
        for step in train(
            model, NormedMuon(model, 0.05), PhasedCourse(broken_sample(sane), 3, schedule), CPU
        ):
            done = step.done
    assert done == last - 1


def test_no_weights_that_are_not_finite_come_out() -> None:
    """A loss may be finite and the step from it not."""

    class Broken(NormedMuon):
        def step(self, closure: Any = None) -> None:
            super().step(closure)
            model[0].weight.data[0, 0] = torch.inf

    model = small_model()
    step = next(train(model, Broken(model, 0.05), PhasedCourse(sample, 3, SCHEDULE), CPU))
    with pytest.raises(ComputationError, match=r"0\.weight is not finite after 1 steps"):
        step.state()
    model = small_model()
    with pytest.raises(ComputationError, match=r"0\.weight is not finite after 1 steps"):
        list(
            train(
                model, Broken(model, 0.05), PhasedCourse(sample, 3, one_phase(Phase(1, size=8, batch=8))), CPU
            )
        )


def test_the_image_shows_what_is_learned_from() -> None:
    _, steps = run(one_phase(Phase(1, size=8, batch=16)))
    sheet = steps[0].image()
    assert sheet.shape == (1, 3, 32, 32)
    assert 0 <= float(sheet.min()) <= float(sheet.max()) <= 1


def test_cycles_follow_each_other() -> None:
    low = Cycle(
        (Phase(2, size=8, batch=4), Phase(2, size=4, batch=4)), height=0.5, warm_up=0.5, last_rate=0.2
    )
    schedule = Schedule((Cycle(PHASES), low))
    assert schedule.steps == 12
    assert [schedule.at(step)[0].size for step in range(12)] == [8] * 3 + [12] * 5 + [8, 8, 4, 4]
    rates = [schedule.rate_at(step) for step in range(12)]
    assert rates[7] == pytest.approx(0.01)
    assert rates[8:] == pytest.approx([0.25, 0.5, 0.3, 0.1])
    with pytest.raises(ValueError, match="only 12 steps"):
        schedule.at(12)


def test_dropout_is_drawn_from_the_step_alone() -> None:
    """Whatever else draws from torch's own generator between steps, and after a resume."""

    def weights(disturbed: bool) -> Tensor:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 3))
        course = PhasedCourse(sample, 3, one_phase(Phase(4, size=8, batch=8, mixed=0.0)))
        for _ in train(model, torch.optim.SGD(model.parameters(), 0.1), course, CPU):
            if disturbed:
                torch.rand(3)
        return model[2].weight.detach()

    assert torch.equal(weights(False), weights(True))
