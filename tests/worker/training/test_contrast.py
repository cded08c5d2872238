import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.rescale import gatys_factors
from worker.losses.gram import gram_matrix
from worker.training.contrast import (
    ContrastCourse,
    ContrastLesson,
    ContrastSettings,
    Recorder,
    contrast,
    normed_grams,
)
from worker.training.learner import Classes
from worker.training.objectives import ObjectiveSettings
from worker.training.palette import palette_model
from worker.training.phases import Cycle, Phase, PhasedCourse, Schedule, shares_of


def features(count: int, channels: int = 5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, 4, 6, generator=generator, dtype=torch.float64).relu()


def test_contrast_known_by_hand() -> None:
    pairs = torch.eye(2)
    # One twin of cosine 1 among three others; the two that are not it have 0.
    assert contrast(pairs, pairs, 1.0).item() == pytest.approx(math.log(math.e + 2) - 1)
    assert contrast(pairs, pairs, 0.5).item() == pytest.approx(math.log(math.e**2 + 2) - 2)
    # What is its twin's opposite, and like the other one's.
    assert contrast(pairs, pairs.flip(0), 1.0).item() == pytest.approx(math.log(math.e + 2))


def test_equal_vectors_are_a_guess_among_all_others() -> None:
    same = F.normalize(torch.ones(4, 3), dim=1)
    assert contrast(same, same, 0.1).item() == pytest.approx(math.log(7))


def test_contrast_is_the_mean_of_each_vectors_own() -> None:
    first, second = (F.normalize(torch.randn(5, 7, dtype=torch.float64), dim=1) for _ in range(2))
    vectors = [*first, *second]
    total = 0.0
    for place, vector in enumerate(vectors):
        others = [k for k in range(10) if k != place]
        scores = {k: math.exp(float(vector @ vectors[k]) / 0.3) for k in others}
        total -= math.log(scores[(place + 5) % 10] / sum(scores.values()))
    assert contrast(first, second, 0.3).item() == pytest.approx(total / 10)


def test_grams_are_those_of_the_rescaled_network() -> None:
    first, second = features(3), features(3, seed=1)
    both = torch.cat([first, second])
    factors = gatys_factors({"": both.mean((0, 2, 3))})[""]
    expected = [
        F.normalize(gram_matrix(each[None] * factors.view(-1, 1, 1)).flatten(), dim=0) for each in both
    ]
    assert torch.allclose(torch.cat(normed_grams(first, second)), torch.stack(expected))


def test_the_scale_of_a_channel_counts_for_nothing() -> None:
    first, second = features(3), features(3, seed=1)
    scale = torch.tensor([1.0, 2.0, 0.7, 1.5, 3.0]).view(-1, 1, 1)
    for plain, scaled in zip(
        normed_grams(first, second), normed_grams(first * scale, second * scale), strict=True
    ):
        assert torch.allclose(plain, scaled)


def test_dead_channels_and_dead_layers_are_finite() -> None:
    first = features(2)
    first[:, 3] = 0
    first.requires_grad_()
    contrast(*normed_grams(first, first), 0.1).backward()
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()
    nothing = torch.zeros(2, 3, 4, 4, requires_grad=True)
    contrast(*normed_grams(nothing, nothing), 0.1).backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


@pytest.mark.medium
def test_gradient() -> None:
    def value(first: Tensor, second: Tensor) -> Tensor:
        return contrast(*normed_grams(first, second), 0.2)

    inputs = [(features(3, seed=seed) + 0.1).requires_grad_() for seed in (0, 1)]
    assert torch.autograd.gradcheck(value, inputs)


def test_pictures_of_no_class_share_all_of_them() -> None:
    shares = shares_of(torch.tensor([1, -1]), 4)
    assert shares.tolist() == [[0, 1, 0, 0], [0.25] * 4]


def lesson_of(settings: ContrastSettings) -> tuple[torch.nn.Module, ContrastLesson]:
    model = palette_model(0)
    plain = Classes(ObjectiveSettings("softmax"))
    return model, ContrastLesson(plain, settings, Recorder(model, settings.layers))


@pytest.mark.medium
def test_the_penalty_is_that_of_the_twins_in_train_mode() -> None:
    settings = ContrastSettings(layers=("relu1_1", "relu2_1"), weight=0.25, temperature=0.2)
    model, lesson = lesson_of(settings)
    pictures = torch.rand(8, 3, 32, 32)
    model.train()
    model(pictures)
    model.eval()
    # This one is not looked at.
    model(pictures.flip(0))
    found = lesson.penalty(model, torch.zeros(8, 64))
    model.train()
    seen: dict[str, Tensor] = {}
    x = (pictures - 0.5) / 0.25
    for name, module in model.stack.items():  # type: ignore[operator, union-attr]
        seen[name] = x = module(x)
    losses = [
        contrast(*normed_grams(seen[layer][[2, 6]], seen[layer][[3, 7]]), 0.2) for layer in settings.layers
    ]
    assert found.item() == pytest.approx(0.25 * torch.stack(losses).mean().item(), rel=1e-5)
    assert lesson.last.item() == pytest.approx(found.item() / 0.25)


@pytest.mark.medium
def test_singles_alone_are_mixed() -> None:
    _, lesson = lesson_of(ContrastSettings(layers=("relu1_1",)))
    schedule = Schedule((Cycle((Phase(1, size=8, batch=16, mixed=1.0),)),))

    def sample(generator: torch.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        shades = torch.arange(count) / count
        return shades.view(-1, 1, 1, 1).expand(-1, 3, size, size), torch.arange(count)

    course: PhasedCourse = ContrastCourse(sample, 16, schedule, lesson)
    batch = course.batch(0, torch.Generator().manual_seed(0))
    twins = torch.arange(16) % 4 >= 2
    plain, _ = sample(torch.Generator(), 16, 8)
    assert torch.equal(batch.inputs[twins], plain[twins])
    assert torch.equal(batch.targets[twins], torch.eye(16)[twins])
    changed = (batch.inputs != plain).flatten(1).any(1)
    assert int(changed.sum()) > 4
    # The other part of a mixed picture is a single, too.
    assert float(batch.targets[~twins][:, twins].abs().sum()) == 0
    assert course.numbers(0, 0.1, batch) == {"rate": 0.1, "radius": 0.0, "contrast": 0.0}
