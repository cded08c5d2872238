"""Sets decoded once: squares of bytes in memory, or in a file."""

import pytest
import torch

from app.datasets.split import Part
from app.errors import ComputationError
from tests.support.learning import CPU, colored, damaged, members_of
from worker.contract.inputs import Member
from worker.training import pictures
from worker.training.learning_set import LearningSet, decode_set
from worker.training.pictures import Pictures, center, decode, statistics
from worker.understanding.sets import Damage
from worker.understanding.views import as_input


def decoded(members: list[Member], side: int, damage: Damage | None = None) -> tuple[Pictures, list[int]]:
    decoding = decode(members, side, damage or Damage(members), CPU.device)
    counts = []
    while True:
        try:
            counts.append(next(decoding))
        except StopIteration as stop:
            return stop.value, counts


def test_pictures_are_what_a_classifier_is_shown() -> None:
    wide = torch.rand(1, 3, 20, 31, generator=torch.Generator().manual_seed(1))
    high = torch.rand(1, 3, 40, 21, generator=torch.Generator().manual_seed(2))
    found, counts = decoded(members_of([(wide, "a"), (high, "b")], ["train", "train"]), 16)
    assert counts == [1]
    shown = center(found.take(torch.tensor([1, 0])), 14)
    expected = torch.cat([as_input(high, 14), as_input(wide, 14)])
    # Rounded to 255 levels.
    torch.testing.assert_close(shown, expected.clamp(0, 1), rtol=0, atol=0.5 / 255 + 1e-6)


def test_a_large_set_is_kept_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    members = members_of(colored(70))
    inside, counts = decoded(members, 9)
    assert counts == [1, 2, 3]
    monkeypatch.setattr(pictures, "IN_MEMORY", 100)
    mapped, _ = decoded(members, 9)
    everything = torch.arange(70)
    assert torch.equal(inside.take(everything), mapped.take(everything))


def test_no_space_for_that_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "IN_MEMORY", 100)
    monkeypatch.setattr(pictures.os, "posix_fallocate", full, raising=False)
    with pytest.raises(ComputationError, match=r"0\.0 GB in .* choose a smaller size"):
        decoded(members_of(colored(4)), 9)


def test_means_and_deviations() -> None:
    dark, light = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    light[:, 0] = 0
    found, _ = decoded(members_of([(dark, "a"), (light, "b")], ["train", "train"]), 8)
    # Red is 0 in both; a deviation of 0 would divide by it.
    assert statistics(found, torch.tensor([0, 1]), 8) == ((0.0, 0.5, 0.5), (0.01, 0.5, 0.5))


def a_set(members: list[Member], size: int = 8) -> LearningSet:
    decoding = decode_set(members, size, Damage(members), CPU.device)
    while True:
        try:
            next(decoding)
        except StopIteration as stop:
            made: LearningSet = stop.value
            return made


def test_places_stay_right_where_pictures_are_left_out() -> None:
    members = members_of(colored(12))
    whole, part = (
        a_set(members),
        a_set([damaged(members[0]), *members[1:5], damaged(members[5]), *members[6:]]),
    )
    assert [each.name for each in part.members] == [
        each.name for place, each in enumerate(members) if place not in (0, 5)
    ]
    for place, member in enumerate(part.members):
        before = members.index(member)
        assert torch.equal(part.centers(torch.tensor([place])), whole.centers(torch.tensor([before])))
        assert part.labels[place] == whole.labels[before]
        assert part.parts[place] == whole.parts[before]


def test_folds_are_stratified_and_cover_all_but_the_test_part() -> None:
    pictures = colored(60)
    # Copies, which must not be on both sides.
    members = members_of([*pictures, *pictures[:10], (torch.zeros(1, 3, 9, 9), "rare")])
    made = a_set(members)
    seen: list[int] = []
    for fold in range(4):
        folded = made.with_fold(fold, 4, seed=1)
        assert torch.equal(folded.places("test"), made.places("test"))
        held = folded.places("validation").tolist()
        seen += held
        counts = torch.bincount(made.labels[folded.places("validation")], minlength=4)
        assert int(counts[:3].max() - counts[:3].min()) <= 4
        hashes = {part: hashes_of(folded, part) for part in ("train", "validation", "test")}
        assert not hashes["train"] & hashes["validation"]
        assert not hashes["test"] & (hashes["train"] | hashes["validation"])
        assert 3 in made.labels[folded.places("train")].tolist()
    rest = {*made.places("train").tolist(), *made.places("validation").tolist()}
    rare = {place for place in rest if int(made.labels[place]) == 3}
    assert sorted(seen) == sorted(rest - rare)
    assert made.with_fold(0, 4, seed=1).parts != made.with_fold(0, 4, seed=2).parts


def hashes_of(made: LearningSet, part: Part) -> set[str]:
    return {made.members[place].source.sha256 for place in made.places(part).tolist()}
