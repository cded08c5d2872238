"""Adversarial pictures: changes that nobody sees, and that change what a classifier sees.

The attacks are in :mod:`worker.optim.attacks`, with their sources; other ways are in
:mod:`worker.synthesis.fooling`.
"""

from functools import partial

from torch import Tensor

from app.errors import InputError
from app.kinds.adversarial import ResolvedAdversarial, ResolvedAttack, ResolvedFooling, ResolvedLinear
from app.kinds.classes import class_index
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Step, Steps, StepState
from worker.optim.activation_loss import ActivationLoss
from worker.optim.attacks import LEVELS, Ball, ProjectedStep, log_probability, quantize_8bit
from worker.optim.descent import Descent
from worker.optim.memory import require_memory
from worker.optim.objectives import weighted_sum
from worker.optim.parametrizations import Pixels
from worker.synthesis.deception import center_crop_8bit, outcome_of
from worker.synthesis.fooling import fool_linear_classifier, fool_with_noise
from worker.understanding.verdicts import predict


def adversarial(
    params: ResolvedAdversarial,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Deceive ``network``, or a linear classifier, by the method that ``params`` name.

    That nothing is deceived in the end is no error: the result says so.

    Raises InputError if the size is too small for the network, or if it takes the picture for the target to
    begin with; ComputationError if its scores are not finite.
    """
    if isinstance(params, ResolvedLinear):
        return fool_linear_classifier(params, inputs.pictures("image") if "image" in inputs else (), resume)
    if network is None:
        raise TypeError(f"{params.method} needs a network")
    smallest = network.minimum_side(("logits",))
    if params.size < smallest:
        raise InputError(
            "size", f"Size {params.size} is too small for {network.name}: it needs {smallest} px at least."
        )
    require_memory(network, ("logits",), (params.size, params.size), params.size, compute)
    if isinstance(params, ResolvedFooling):
        return fool_with_noise(params, network, compute, resume)
    return _attack(params, inputs.picture("image").to(compute.device), network, resume)


def _attack(params: ResolvedAttack, picture: Tensor, network: Network, resume: StepState | None) -> Steps:
    """Change a picture within a ball, a step along the gradient at a time.

    A fast gradient sign, and a basic iterative method, are worth where their last step leads, as published;
    projected gradients the best place they have seen.
    """
    original = center_crop_8bit(picture, params.size)
    before = predict(network, original)
    goal = None if params.target is None else class_index(network.classes, params.target)
    if goal == before["index"]:
        raise InputError(
            "target",
            f"{network.name} takes the picture for {params.target!r} already: name another class, or none.",
        )
    if goal is None:
        objective = weighted_sum([(log_probability(before["index"]), -1.0)])
    else:
        objective = log_probability(goal)
    seeds = (params.seed,)
    loss = ActivationLoss(network, Pixels(*original.shape[2:]), lambda _: objective, seeds)
    projected = params.method in ("pgd-linf", "pgd-l2")
    epsilon = params.epsilon / LEVELS
    ball = Ball("l2" if params.method == "pgd-l2" else "linf", epsilon)
    start = (original + ball.random(original, seeds)).clamp(0, 1) if projected else original
    lr = params.step_size / LEVELS if params.step_size else epsilon
    descent = Descent(start, ProjectedStep(original, ball, lr), deterministic=projected)
    if resume is not None:
        descent.restore(resume)
    total = params.steps or 1
    while descent.taken < total:
        descent.step(partial(loss, step=descent.taken))
        yield Step(
            done=descent.taken,
            total=total,
            losses=partial(_numbers, descent.terms["objective"]),
            image=descent.variables.detach,
            state=descent.state,
        )
    descent.finish(loss)
    changed = descent.best
    after, saved = predict(network, changed), predict(network, quantize_8bit(changed))
    deceived = after["index"] != before["index"] if goal is None else after["index"] == goal
    result = {
        "success": deceived,
        "before": before,
        "after": after,
        "saved": saved,
    }
    return outcome_of(original, changed, result)


def _numbers(term: Tensor) -> dict[str, float]:
    """The logarithm of the probability that is to rise, or minus that of the one that is to fall."""
    return {"total": -float(term.mean())}
