import pytest
import torch
import torch.nn.functional as F

from models.palette import palette
from models.procedural import CLASSES, draw
from models.random_vgg import vgg19_random
from worker.contract.compute import Compute
from worker.training import palette_report
from worker.training.evaluation import (
    NEW_SEEDS,
    accuracy,
    color_histograms,
    guesses,
    least_known,
    peak_signal_to_noise,
    texture_retrieval,
    thumbnails,
    unseen_pictures,
)


def test_accuracy_counts_the_right_guesses_in_batches() -> None:
    pictures = torch.rand(130, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(130) % 2

    def classify(batch: torch.Tensor) -> torch.Tensor:
        assert len(batch) <= 64
        return F.one_hot(torch.zeros(len(batch), dtype=torch.int64), 2).float()

    assert guesses(classify, pictures).tolist() == [0] * 130
    assert accuracy(classify, pictures, classes) == 0.5


@pytest.mark.medium
def test_unseen_pictures_are_of_seeds_that_no_set_has() -> None:
    pictures, classes = unseen_pictures("held-out", 1, 16)
    assert classes.tolist() == list(range(len(CLASSES)))
    assert torch.equal(pictures[5:6], draw([5], [NEW_SEEDS], 16, "held-out"))


@pytest.mark.medium
def test_the_least_known_classes_are_named_with_what_they_are_taken_for() -> None:
    pictures, classes = unseen_pictures("held-out", 3, 16)
    answers = classes.clone()
    # Of class 2 none is right, of class 7 one; of class 9 two, which are more than half.
    answers[classes == 2] = torch.tensor([5, 4, 5])
    answers[classes == 7] = torch.tensor([1, 7, 1])
    answers[classes == 9] = torch.tensor([9, 9, 0])
    given = iter(torch.split(answers, 64))
    found = least_known(lambda batch: F.one_hot(next(given), len(CLASSES)).float(), 3, 16)
    assert len(pictures) == 3 * len(CLASSES)
    assert list(found.items()) == [
        (CLASSES[2], f"0 of 3; {CLASSES[5]} 2 times"),
        (CLASSES[7], f"1 of 3; {CLASSES[1]} 2 times"),
    ]


@pytest.mark.slow
def test_accuracies_are_numbers_and_the_least_known_classes_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(palette_report, "PER_CLASS", 1)
    found = palette_report.accuracies(palette(), Compute(torch.device("cpu")))
    least = found.pop("least_known")
    assert isinstance(least, dict) and set(least) <= {*CLASSES}
    assert all(isinstance(value, int | float) for value in found.values())


def test_thumbnails_are_mean_colors() -> None:
    picture = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = picture.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
    torch.testing.assert_close(thumbnails(picture), expected.flatten(1))


def test_histograms_count_colors_wherever_they_are() -> None:
    picture = torch.zeros(1, 3, 4, 4)
    picture[:, 0, :2] = 1.0
    histogram = color_histograms(picture)[0]
    assert histogram.shape == (512,)
    assert histogram[0] == 0.5
    assert histogram[7 * 64] == 0.5


def test_histograms_of_many_pictures_fit_into_memory() -> None:
    pictures = torch.rand(4096, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(color_histograms(pictures).sum(dim=1), torch.ones(4096))


@pytest.mark.slow
def test_texture_retrieval_finds_the_other_half() -> None:
    found = texture_retrieval(vgg19_random(), "relu2_1", per_class=1)
    # Of 29 textures: by chance it would be 3 %.
    assert 0.2 < found <= 1


@pytest.mark.parametrize(("error", "decibels"), [(0.1, 20.0), (0.01, 40.0)])
def test_psnr_by_hand(error: float, decibels: float) -> None:
    reference = torch.full((1, 3, 4, 4), 0.5)
    assert peak_signal_to_noise(reference + error, reference) == pytest.approx(decibels, abs=1e-3)
