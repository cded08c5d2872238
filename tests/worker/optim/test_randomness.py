import torch

from worker.optim.randomness import generator_at


def draw(seed: int, *place: int) -> list[float]:
    return torch.rand(4, generator=generator_at(seed, *place)).tolist()


def test_a_place_has_its_own_numbers_and_always_the_same() -> None:
    places = [(0,), (0, 0), (0, 1), (1, 0), (1,), (0, 0, 0), (0, 11), (0, 1, 1), (2**63 - 1, 5)]
    drawn = [draw(*place) for place in places]

    assert [draw(*place) for place in places] == drawn
    assert len({tuple(numbers) for numbers in drawn}) == len(places)
