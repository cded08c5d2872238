"""What classifiers say of pictures: probabilities at a temperature, and the energy of the scores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from app.errors import ComputationError
from app.kinds.classifying import ClassifyingParams
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.optim.objectives import precise
from worker.understanding.crops import views_of
from worker.understanding.views import input_side, require_side

# Views in one forward pass. On one thread of a CPU efficientnet_lite0 takes 9 ms a view by ones, 7 by twos,
# 6 by fours, and 6 to 11 by more, whose activations are mapped anew each time; larger views are fewer.
CHUNK_PIXELS_ON_CPU, CHUNK_PIXELS = 4 * 224**2, 32 * 224**2
# Passes at a time on a CPU whose arithmetic has one thread: many views are done before others notice.
PASSES = 2

T = TypeVar("T")

Verdict = Literal["one of its classes", "none of its classes"]


@dataclass(frozen=True)
class Classifier:
    """A network, the side in pixels of the square that it is shown, and the temperature of its scores."""

    network: Network
    side: int
    temperature: float

    @property
    def threshold(self) -> float | None:
        """The energy above which a picture has none of the classes; None where none was measured.

        It was measured at the network's own temperature, and means nothing at another.
        """
        own = self.network.temperature or 1.0
        return self.network.energy_threshold if self.temperature == own else None


@dataclass(frozen=True)
class Prediction:
    """Probabilities (C,) of the classes, float32 on the CPU, and the energy; both are means over views."""

    probabilities: Tensor
    energy: float

    def verdict(self, threshold: float | None) -> Verdict | None:
        """Whether the picture has one of the classes; None where there is no threshold."""
        if threshold is None:
            return None
        return "none of its classes" if self.energy > threshold else "one of its classes"


def classifiers(
    params: ClassifyingParams, inputs: Inputs, network: Network | None, compute: Compute
) -> list[Classifier]:
    """The classifiers of a job of resolved params.

    Raises InputError if a size is too small for one of them, or too large for the memory.
    """
    if network is None:
        raise TypeError("a network is needed")
    found = []
    for each in (network, *(inputs.networks[name] for name in params.further_networks())):
        side = params.size or input_side(each)
        require_side(each, ("logits",), side, compute, gradient=False)
        found.append(Classifier(each, side, params.temperature or each.temperature or 1.0))
    return found


def views_for(
    params: ClassifyingParams, classifiers: Sequence[Classifier], picture: Tensor
) -> dict[int, Tensor]:
    """The views (V, 3, side, side) of a picture (1, 3, H, W), by the sides that the classifiers are shown."""
    sides = {classifier.side for classifier in classifiers}
    return {side: views_of(picture, side, params.crops, params.scales) for side in sides}


def predict(classifier: Classifier, views: Sequence[Tensor]) -> list[Prediction]:
    """The prediction for each picture, given as its views (V, 3, side, side) on the CPU.

    All views are computed in chunks, whosever they are. Raises ComputationError if scores are not finite.
    """
    logits = logits_of(classifier.network, torch.cat(list(views)))
    if not bool(torch.isfinite(logits).all()):
        raise ComputationError(f"The scores of {classifier.network.name} are not finite numbers.")
    found = []
    for each in torch.split(logits, [len(each) for each in views]):
        probabilities = (each / classifier.temperature).softmax(1).mean(0)
        found.append(Prediction(probabilities, float(energy(each, classifier.temperature).mean())))
    return found


def logits_of(network: Network, views: Tensor) -> Tensor:
    """Logits (N, C) of views (N, 3, H, W), in chunks, float32 or better on the CPU."""
    return torch.cat(by_chunks(network, views, lambda chunk: precise(network.logits(chunk)).cpu()))


def by_chunks(network: Network, views: Tensor, compute: Callable[[Tensor], T]) -> list[T]:
    """What ``compute`` makes of chunks of views (N, 3, H, W), in order.

    A chunk is on the device of the network, and nothing has a gradient.
    """
    on_cpu = network.device.type == "cpu"
    pixels = CHUNK_PIXELS_ON_CPU if on_cpu else CHUNK_PIXELS
    size = max(1, pixels // (views.shape[2] * views.shape[3]))

    @torch.no_grad()
    def computed(chunk: Tensor) -> T:
        return compute(chunk.to(network.device))

    chunks = torch.split(views, size)
    if on_cpu and len(chunks) > 1 and torch.get_num_threads() == 1:
        with ThreadPoolExecutor(PASSES, thread_name_prefix="classify") as pool:
            return list(pool.map(computed, chunks))
    return [computed(chunk) for chunk in chunks]


def energy(logits: Tensor, temperature: float) -> Tensor:
    """``-T log sum exp(logits / T)`` (N,) of logits (N, C): the lower, the more like what was trained on.

    Liu, Wang, Owens, Li, "Energy-based out-of-distribution detection" (NeurIPS 2020), section 3.1.
    """
    return -temperature * (logits / temperature).logsumexp(1)


def average(predictions: Sequence[Prediction]) -> Tensor:
    """The mean of probabilities (C,)."""
    return torch.stack([each.probabilities for each in predictions]).mean(0)
