"""Fooling pictures from noise, and from the weights of a linear classifier."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.adversarial import ResolvedFooling, ResolvedLinear
from app.kinds.classes import class_index
from models.network import Network
from models.procedural import CLASSES, draw
from worker.contract.compute import Compute
from worker.contract.steps import Step, Steps, StepState
from worker.optim.activation_loss import ActivationLoss
from worker.optim.attacks import LEVELS, log_probability, quantize_8bit
from worker.optim.descent import Descent
from worker.optim.linear import LinearClassifier
from worker.optim.optimizers.gradient import NormalizedGradient
from worker.optim.parametrizations import Pixels
from worker.optim.randomness import generator_at
from worker.synthesis.deception import center_crop_8bit, outcome_of
from worker.understanding.verdicts import predict, verdict

# The linear classifier: side of its pictures in pixels, and the numbers of drawn pictures of each class that
# it is fitted and tested on. Twelve thousand values are enough for small changes to add up; more pictures
# hardly improve it.
LINEAR_SIDE = 64
FITTED = 200
TRIED = 100

# Pictures that a step draws.
PART = 50


def fool_with_noise(
    params: ResolvedFooling, network: Network, compute: Compute, resume: StepState | None
) -> Steps:
    """Change noise until the network assigns it to the target with ``confidence``, or the steps are over.

    Nguyen, Yosinski, Clune, "Deep neural networks are easily fooled", CVPR 2015: gradient ascent of the
    probability. They start from the mean picture and use weight decay; this starts from uniform noise, as
    their evolved pictures do, and stops at the wanted confidence, so that the picture still looks like noise.
    The probability is that of the picture rounded to 8 bits.
    """
    target = class_index(network.classes, params.target)
    side, total, wanted = params.size, params.steps, params.confidence
    noise = torch.rand(1, 3, side, side, generator=generator_at(params.seed))
    original = quantize_8bit(noise).to(compute.device)
    parametrization = Pixels(side, side)
    loss = ActivationLoss(network, parametrization, lambda _: log_probability(target), (params.seed,))
    descent = Descent(original, NormalizedGradient(params.step_size / LEVELS))
    if resume is not None:
        descent.restore(resume)
    reached = _believed(network, descent.variables, target) >= wanted
    while descent.taken < total and not reached:
        descent.step(partial(loss, step=descent.taken))
        reached = _believed(network, descent.variables, target) >= wanted
        yield Step(
            done=descent.taken,
            total=total,
            losses=partial(_numbers, descent.terms["objective"]),
            image=descent.variables.detach,
            state=descent.state,
        )
    if not reached:
        descent.finish(loss)
    changed = quantize_8bit(descent.variables if reached else descent.best)
    result = {
        "success": reached,
        "confidence": _believed(network, changed, target),
        "steps": descent.taken,
        "before": predict(network, original),
        "after": predict(network, changed),
    }
    return outcome_of(original, changed, result)


def fool_linear_classifier(
    params: ResolvedLinear,
    given: Sequence[Tensor],
    resume: StepState | None,
    *,
    side: int = LINEAR_SIDE,
    fitted: int = FITTED,
    tried: int = TRIED,
) -> Steps:
    """Fit a linear classifier to two drawn classes, and add a small multiple of its weights to a picture.

    The picture is ``given``, or else the first drawn test picture of ``params.against`` that is classified
    correctly. The result has the accuracy on the test pictures, since pixels alone say little of most
    classes. Runs on the CPU; a state holds no pictures, since they are quickly drawn again.
    """
    names = (params.against, params.target)
    jobs = [
        (CLASSES.index(name), seeds)
        for name in names
        for seeds in _seeds(params.seed, CLASSES.index(name), fitted + tried)
    ]
    done = 0 if resume is None else int(resume.values["done"])
    parts: list[Tensor] = []
    for place, (number, seeds) in enumerate(jobs):
        parts.append(draw([number] * len(seeds), seeds, side))
        if place >= done:
            state = partial(StepState, {}, {"done": place + 1})
            yield Step(place + 1, len(jobs), losses=dict, image=None, state=state)
    first, second = torch.cat(parts).chunk(2)
    classifier = LinearClassifier.fit(first[:fitted], second[:fitted])
    right = torch.cat([classifier.score(first[fitted:]) < 0, classifier.score(second[fitted:]) > 0])
    original = center_crop_8bit(given[0].cpu(), side) if given else _example(classifier, first[fitted:])
    before = _judge(classifier, original, names)
    if before["class"] == params.target:
        raise InputError(
            "target",
            f"The linear classifier takes the picture for {params.target!r} already: swap the two classes, "
            "or name others.",
        )
    epsilon = params.epsilon / LEVELS
    changed = classifier.fool(original, epsilon).clamp(0, 1)
    after = _judge(classifier, changed, names)
    result = {
        "success": after["class"] == params.target,
        "accuracy": float(right.double().mean()),
        "multiple": classifier.multiple(epsilon),
        "before": before,
        "after": after,
        "saved": _judge(classifier, quantize_8bit(changed), names),
    }
    return outcome_of(original, changed, result)


def _believed(network: Network, picture: Tensor, target: int) -> float:
    """The probability of a class for a picture rounded to 8 bits."""
    with torch.no_grad():
        features = {"logits": network.logits(quantize_8bit(picture))}
    return float(log_probability(target).value(features).exp())


def _numbers(term: Tensor) -> dict[str, float]:
    """The probability of the target, and its logarithm, which is maximized."""
    return {"probability": float((-term).exp()), "total": -float(term)}


def _seeds(seed: int, number: int, count: int) -> list[list[int]]:
    """Seeds of the pictures of a class, in parts."""
    seeds = torch.randint(2**62, (count,), generator=generator_at(seed, number))
    return [part.tolist() for part in torch.split(seeds, PART)]


def _example(classifier: LinearClassifier, pictures: Tensor) -> Tensor:
    """The first picture classified as the first class, or else the one with the lowest score."""
    scores = classifier.score(pictures)
    place = int((scores < 0).long().argmax()) if bool((scores < 0).any()) else int(scores.argmin())
    return quantize_8bit(pictures[place : place + 1])


def _judge(classifier: LinearClassifier, picture: Tensor, names: Sequence[str]) -> dict[str, Any]:
    """The classifier's verdict on a picture (1, 3, side, side), with its score."""
    second = classifier.probability(picture)[0]
    return {"score": float(classifier.score(picture)), **verdict(torch.stack([1 - second, second]), names)}
