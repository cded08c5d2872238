"""How similar pictures are to what a network was trained on, judged by what its layers know of them.

Later layers are more and more of use for what a network was trained on, and for what is like it; for other
pictures that stops at an inner layer: Yosinski, Clune, Bengio, Lipson, "How transferable are features in deep
neural networks?" (NIPS 2014); Zeiler and Fergus, "Visualizing and understanding convolutional networks" (ECCV
2014), table 7. So errors of linear classifiers on an early and on the last layer are compared. It is a
measure of how well features suit these labels, not of how pictures look.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from torch import Tensor

from worker.understanding.probes import chance, held_out, probe

# Random choices of what is held out, and pictures in all at most.
ROUNDS, MOST = 5, 2000
# The last layer must leave this share of an early layer's errors at most, or err so rarely.
ERRORS_LEFT, RARELY = 0.5, 0.02


@dataclass(frozen=True)
class Similarity:
    """The shares of held-out pictures that linear classifiers on two layers take for the right class.

    ``tested`` pictures were classified by each; ``chance`` is the share of the commonest class. None of them
    is of the test part.
    """

    early_layer: str
    early_accuracy: float
    last_layer: str
    last_accuracy: float
    chance: float
    tested: int
    similar: bool


def measure_similarity(
    early: tuple[str, Tensor], last: tuple[str, Tensor], labels: Sequence[str]
) -> Similarity | None:
    """Of the features (N, C) of two layers, each given with its name, and the labels of N pictures.

    None if fewer than two labels have two pictures.
    """
    count = min(len(labels), MOST)
    places = [place * len(labels) // count for place in range(count)]
    chosen = [labels[place] for place in places]
    if sum(number > 1 for number in Counter(chosen).values()) < 2:
        return None
    draws = [held_out(chosen, seed) for seed in range(ROUNDS)]

    def accuracy(layer: str, features: Tensor) -> float:
        values = features[places]
        return mean(probe(layer, values, chosen, tested).accuracy for tested in draws)

    early_right, last_right = accuracy(*early), accuracy(*last)
    return Similarity(
        early_layer=early[0],
        early_accuracy=early_right,
        last_layer=last[0],
        last_accuracy=last_right,
        chance=mean(chance(chosen, tested) for tested in draws),
        tested=sum(int(tested.sum()) for tested in draws),
        similar=1 - last_right <= max(RARELY, ERRORS_LEFT * (1 - early_right)),
    )
