"""Contrast between textures: Gram matrices of two crops of a texture agree, those of others do not.

The loss is NT-Xent: Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual
representations" (ICML 2020), equation 1; here of the Gram matrices that style transfer matches (Gatys, Ecker,
Bethge 2016, section 2.2) in place of a projection of pooled features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.rescale import QUIET
from models.trainable import Trainable
from worker.training.augmentation import cutmix
from worker.training.learner import Lesson
from worker.training.loop import Batch
from worker.training.phases import PhasedCourse
from worker.training.twins import singles_of, twins_of


@dataclass(frozen=True)
class ContrastSettings:
    """The layers, ReLUs by name, whose Gram matrices are compared; the weight of the mean over layers."""

    layers: tuple[str, ...] = ("relu2_1", "relu3_1", "relu4_1")
    weight: float = 1.0
    temperature: float = 0.1


class Recorder:
    """What some layers of a network gave in its last forward pass in train mode."""

    def __init__(self, model: Trainable, layers: tuple[str, ...]) -> None:
        """Watch a model from now on."""
        self._found: dict[str, Tensor] = {}
        for layer in layers:
            model.stack[layer].register_forward_hook(self._keep_as(layer))

    def take(self) -> dict[str, Tensor]:
        """The activations (n, c, h, w) by layer, which are then forgotten with their graph."""
        found, self._found = self._found, {}
        return found

    def _keep_as(self, layer: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def keep(module: nn.Module, _: tuple[Tensor, ...], activations: Tensor) -> None:
            if module.training:
                self._found[layer] = activations

        return keep


class ContrastLesson:
    """A lesson: that of classes, and contrast between the twins of a batch."""

    def __init__(self, classes: Lesson, settings: ContrastSettings, recorder: Recorder) -> None:
        """``recorder`` watches the layers of the settings; ``last`` is the latest contrast, a scalar."""
        self._classes = classes
        self._settings = settings
        self._recorder = recorder
        self.last = torch.zeros(())

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """That of the classes, of singles and twins."""
        return self._classes.objective(logits, targets)

    def penalty(self, model: nn.Module, targets: Tensor) -> Tensor:
        """The weighted mean over layers of the contrast of the batch that ``model`` has just been given."""
        temperature = self._settings.temperature
        losses = [
            contrast(*normed_grams(*twins_of(activations)), temperature)
            for activations in self._recorder.take().values()
        ]
        mean = torch.stack(losses).mean()
        self.last = mean.detach()
        return self._settings.weight * mean


@dataclass(frozen=True)
class ContrastCourse(PhasedCourse):
    """A course whose samples are groups of singles and twins: singles alone are mixed."""

    contrast: ContrastLesson

    def mix(self, pictures: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Cutmix of the singles."""
        places = singles_of(len(pictures)).to(pictures.device)
        pictures, targets = pictures.clone(), targets.clone()
        pictures[places], targets[places] = cutmix(pictures[places], targets[places], generator)
        return pictures, targets

    @property
    def lesson(self) -> ContrastLesson:
        """The contrast's."""
        return self.contrast

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        """``rate``, ``radius``, and ``contrast``, the mean over layers."""
        return {**super().numbers(step, rate, batch), "contrast": float(self.contrast.last)}


def normed_grams(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Gram matrices of two batches of features (m, c, h, w), each as a vector of length 1.

    They are (m, c * c), at least float32, and those of the network whose channels are rescaled to a mean of 1
    over both batches, as :func:`models.rescale.gatys_factors` does: no channel counts for its scale.
    """
    features = torch.cat([first, second]).flatten(2)
    precise = torch.promote_types(features.dtype, torch.float32)
    mean = features.to(precise).mean((0, 2))
    live = mean.detach()[mean > 0]
    typical = live.median() if len(live) else mean.new_ones(())
    factors = torch.where(mean < QUIET * typical, typical, mean).reciprocal()
    grams = (features @ features.mT).to(precise) * (factors[:, None] * factors)
    normed_first, normed_second = F.normalize(grams.flatten(1), dim=1).chunk(2)
    return normed_first, normed_second


def contrast(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent of the twins (m, d) and (m, d), vectors of length 1: the mean over both of each pair, a scalar.

    Each vector's cross-entropy of finding its twin among all others, by cosine over ``temperature``: at equal
    cosines log(2 m - 1).
    """
    m = len(first)
    vectors = torch.cat([first, second])
    cosines = vectors @ vectors.T / temperature
    itself = torch.eye(2 * m, dtype=torch.bool, device=first.device)
    twins = torch.arange(2 * m, device=first.device).roll(m)
    return F.cross_entropy(cosines.masked_fill(itself, -torch.inf), twins)
