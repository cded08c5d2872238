from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.procedural import CLASSES
from worker.training import drawings
from worker.training.drawings import NO_CLASS, DrawnSet, draw_set
from worker.training.twins import TEXTURES, singles_of, twin_crops, twins_from, twins_of

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramps(count: int, side: int) -> Tensor:
    """x in red and y in green, each a pixel's place."""
    line = torch.arange(side, dtype=torch.uint8)
    x, y = line.expand(side, side), line[:, None].expand(side, side)
    return torch.stack([x, y, torch.zeros_like(x)]).expand(count, -1, -1, -1)


def bounds(crops: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest x and y of crops of ramps, (n, 2) each, in pixels."""
    places = crops[:, :2].flatten(2) * 255
    return places.amin(2), places.amax(2)


def test_twins_lie_apart_and_have_one_scale() -> None:
    first, second = twin_crops(ramps(200, 96), 32, torch.zeros(200, dtype=torch.bool), generator())
    (low, high), (other_low, other_high) = bounds(first), bounds(second)
    apart = torch.maximum(low - other_high, other_low - high)
    # Bilinear samples at the borders may share a pixel.
    assert bool((apart.amax(1) > -1).all())
    assert torch.allclose(high - low, other_high - other_low, atol=0.6)
    sides = high - low + 1
    assert float(sides.min()) > 30
    assert float(sides.max()) < 50


def test_twins_are_turned_and_mirrored_alike() -> None:
    first, second = twin_crops(ramps(64, 96), 32, torch.ones(64, dtype=torch.bool), generator())
    steps = [crops[:, 0, :, 16].diff(dim=1).sign().mean(1) for crops in (first, second)]
    assert torch.equal(steps[0].round(), steps[1].round())


def test_twins_of_large_crops_are_not_enlarged_much() -> None:
    first, _ = twin_crops(ramps(20, 96), 96, torch.zeros(20, dtype=torch.bool), generator())
    low, high = bounds(first)
    assert float((high - low).min()) > 0.7 * 96


def test_places_of_singles_and_twins() -> None:
    assert singles_of(8).tolist() == [0, 1, 4, 5]
    first, second = twins_of(torch.arange(8))
    assert first.tolist() == [2, 6]
    assert second.tolist() == [3, 7]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnSet:
    folder: Path = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawings, "PER_CLASS", 1)
        folder_of = drawings.set_folder(folder, 16, "open")
        folder_of.mkdir()
        for number in (0, 1):
            drawings._draw_file((folder_of, 16, number, "open"))
        assert list(draw_set(folder, size=16, files=2, processes=1, scenery="open")) == [2]
        return DrawnSet(folder, size=16, files=2, scenery="open")


@pytest.mark.medium
def test_an_open_set_has_skies_of_no_class(drawn: DrawnSet) -> None:
    assert len(drawn) == 2 * (len(CLASSES) + 8)
    assert int((drawn.classes == NO_CLASS).sum()) == 16
    chosen = drawn.some_of(torch.tensor([5, 9, 9, 9, 9, 9]), generator())
    assert drawn.classes[chosen].tolist() == [5, 9, 9, 9, 9, 9]
    assert len(set(chosen.tolist())) == 3


@pytest.mark.medium
def test_batches_have_twins_in_each_group_of_four(drawn: DrawnSet) -> None:
    sample = twins_from(drawn, CPU)
    pictures, labels = sample(generator(), 24, 8)
    assert pictures.shape == (24, 3, 8, 8)
    assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1
    first, second = twins_of(labels)
    assert torch.equal(first, second)
    assert torch.isin(first, TEXTURES).all()
    assert not torch.isin(labels[1::4], TEXTURES).any()
    # Three of a class in turn.
    assert first.tolist() == first[::3].repeat_interleave(3).tolist()


@pytest.mark.medium
def test_a_batch_depends_on_its_generator_alone(drawn: DrawnSet) -> None:
    sample = twins_from(drawn, CPU)
    once, again, other = (sample(generator(seed), 8, 8) for seed in (1, 1, 2))
    assert torch.equal(once[0], again[0])
    assert torch.equal(once[1], again[1])
    assert not torch.equal(once[0], other[0])


@pytest.mark.medium
def test_half_of_the_batches_have_grey_twins(drawn: DrawnSet) -> None:
    sample = twins_from(drawn, CPU)
    grey = []
    for seed in range(40):
        pictures, _ = sample(generator(seed), 8, 8)
        # Noise is colored.
        chroma = torch.stack(twins_of(pictures)).mean((3, 4)).std(2).amax()
        grey.append(float(chroma) < 0.01)
    assert 8 < sum(grey) < 32


@pytest.mark.medium
def test_a_batch_is_a_whole_number_of_groups(drawn: DrawnSet) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        twins_from(drawn, CPU)(generator(), 10, 8)
