import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.positions import chosen, pooled, rows_of, sampled, sampled_in_tiles
from worker.optim.tiling.tiles import BUDGET, Tiling


@given(st.integers(1, 3000), st.integers(1, 300), st.integers(0, 2**40))
def test_one_place_of_each_part_is_chosen(count: int, most: int, seed: int) -> None:
    places = chosen(count, most, seed)

    assert len(places) == min(count, most)
    assert (places.diff() > 0).all()
    assert torch.equal(places, chosen(count, most, seed))
    for part, place in enumerate(places.tolist()):
        assert part * count // len(places) <= place < (part + 1) * count // len(places)


def test_another_seed_chooses_other_places() -> None:
    assert not torch.equal(chosen(1000, 50, 1), chosen(1000, 50, 2))


def test_rows_go_along_the_rows_of_the_picture() -> None:
    maps = torch.arange(12.0).view(1, 2, 2, 3)

    assert rows_of(maps).tolist() == [[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5, 11]]
    assert rows_of(maps.to(memory_format=torch.channels_last)).is_contiguous()


def test_samples_are_positions() -> None:
    maps = rand(20, 30, 1, torch.bfloat16)

    rows = sampled(maps, 50, 4)

    assert rows.dtype == torch.float32
    assert torch.equal(rows, rows_of(maps)[chosen(600, 50, 4)].float())


@pytest.mark.parametrize(
    ("sizes", "shares", "most", "counts"),
    [
        ([100], [1.0], 40, [40]),
        ([100], [1.0], 400, [100]),
        ([100, 100], [0.25, 0.75], 40, [10, 30]),
        # The second has too few for its share.
        ([100, 30], [0.5, 0.5], 100, [30, 30]),
        ([100, 100, 100], [0.5, 0.0, 0.5], 20, [10, 0, 10]),
        ([100, 100], [0.999, 0.001], 40, [40, 1]),
    ],
)
def test_pools_are_in_proportion_to_shares(
    sizes: list[int], shares: list[float], most: int, counts: list[int]
) -> None:
    samples = [torch.full((size, 2), float(place)) for place, size in enumerate(sizes)]

    rows = pooled(samples, shares, most, 0)

    assert [int((rows[:, 0] == place).sum()) for place in range(len(sizes))] == counts


@pytest.mark.parametrize("most", [40, 10_000])
@pytest.mark.parametrize("margin", [0, 4])
def test_tiles_find_the_same_samples(exact_network: Network, most: int, margin: int) -> None:
    layers = ["relu1", "conv3"]
    whole, tiled = (
        Tiling(61, 83, exact_network, layers, margin=margin, budget=budget) for budget in (BUDGET, 400_000)
    )
    picture = rand(61, 83, 1)

    expected, found = (sampled_in_tiles(each, picture, layers, most, 3) for each in (whole, tiled))

    assert len(tiled.tiles) >= 3
    for layer in layers:
        assert found[layer].shape == expected[layer].shape
        assert torch.allclose(found[layer], expected[layer], rtol=1e-12, atol=1e-12)
