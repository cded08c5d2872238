"""Seeds of 63 bits, and places."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from worker.optim.randomness import fold_seed, generator_at, generator_from, noise_like, noise_picture, normal

BITS = 63
PICTURE = torch.linspace(0, 1, 3 * 4 * 5).view(1, 3, 4, 5)
DRAWS: dict[str, Callable[[int], Tensor]] = {
    "generator_from": lambda seed: torch.rand(4, generator=generator_from(seed)),
    "generator_at": lambda seed: torch.rand(4, generator=generator_at(seed)),
    "generator_at, step 3": lambda seed: torch.rand(4, generator=generator_at(seed, 3)),
    "normal": lambda seed: normal([seed], (4,)),
    "noise_picture": lambda seed: noise_picture(2, 3, seed, 0.1),
    "noise_like": lambda seed: noise_like(PICTURE, 2, 3, seed),
}


def draw(seed: int, *place: int) -> list[float]:
    return torch.rand(4, generator=generator_at(seed, *place)).tolist()


def test_a_place_has_its_own_numbers_and_always_the_same() -> None:
    places = [(0,), (0, 0), (0, 1), (1, 0), (1,), (0, 0, 0), (0, 11), (0, 1, 1), (2**63 - 1, 5)]
    drawn = [draw(*place) for place in places]

    assert [draw(*place) for place in places] == drawn
    assert len({tuple(numbers) for numbers in drawn}) == len(places)


@pytest.mark.parametrize("name", DRAWS)
@given(st.integers(0, 2**BITS - 1), st.integers(0, BITS - 1))
def test_every_bit_of_a_seed_matters(name: str, seed: int, bit: int) -> None:
    drawn, other = (DRAWS[name](each) for each in (seed, seed ^ (1 << bit)))

    assert not torch.equal(drawn, other)


@given(st.lists(st.integers(0, 2**BITS - 1), min_size=2, max_size=20, unique=True))
def test_seeds_have_their_own_32_bits(seeds: list[int]) -> None:
    folded = [fold_seed(seed) for seed in seeds]

    assert len(set(folded)) == len(seeds)
    assert all(0 <= each < 2**32 for each in folded)


@given(st.integers(0, 2**32 - 1))
def test_small_seeds_are_torchs_own(seed: int) -> None:
    assert fold_seed(seed) == seed
    drawn = torch.randn(1, 3, 2, 3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(noise_picture(2, 3, seed, 0.1), (0.5 + 0.1 * drawn).clamp(0, 1))


def test_known_numbers() -> None:
    """Recipes hold: seeds below 2**32, and places of all seeds, have always had these numbers."""
    for seed, expected in {
        0: [0.496257, 0.768222, 0.088477],
        5: [0.830252, 0.126111, 0.90747],
        2**32 - 1: [0.993799, 0.571306, 0.570008],
    }.items():
        assert torch.rand(3, generator=generator_from(seed)).tolist() == pytest.approx(expected, abs=1e-6)
    for place, expected in {
        (0,): [0.716771, 0.251155, 0.754609],
        (7, 3): [0.070128, 0.977101, 0.853145],
        (2**32 - 1, 1, 2): [0.231069, 0.864019, 0.594883],
        (2**63 - 1,): [0.35408, 0.024513, 0.092504],
        (2**63 - 1, 5): [0.441112, 0.263927, 0.740667],
    }.items():
        assert torch.rand(3, generator=generator_at(*place)).tolist() == pytest.approx(expected, abs=1e-6)
