"""Class visualisation: pictures that a network takes for a class.

Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks: visualising image classification models and
saliency maps", ICLR workshop 2014, section 2, and what has been made of it since: see the presets.
"""

from typing import Any

import torch
from torch import Tensor

from app.kinds.class_visualization import ResolvedClassVisualization
from app.kinds.classes import class_index
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Steps, StepState
from worker.optim.objectives import channel
from worker.optim.pyramids.scales import resize
from worker.synthesis.ascending import Target, ascend
from worker.understanding.verdicts import TOP, ranking


def class_visualization(
    params: ResolvedClassVisualization,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Draw each class of ``params.target`` ``params.variations`` times, in one batch.

    Raises what :func:`worker.synthesis.ascending.ascend` does.
    """
    del inputs
    indices = [class_index(network.classes, name) for name in params.target]
    # The score before the softmax, as in section 2: the probability rises by making all other classes less
    # likely too. Where the score is the mean of a ReLU, the mean before the ReLU.
    layer = network.pre_activation("logits")
    targets = [
        Target(channel(layer, index), seed, f"class {name!r}", "target")
        for name, index in zip(params.target, indices, strict=True)
        for seed in params.seeds()
    ]
    columns = params.variations if params.variations > 1 and len(indices) > 1 else None
    made = yield from ascend(params, targets, network, compute, resume, columns=columns)
    drawn_indices = [index for index in indices for _ in params.seeds()]
    reports = [
        {
            "artifact": name,
            "class": network.classes[index],
            "index": index,
            "seed": target.seed,
            "objective": objective,
            **judge(network, picture.to(compute.device), index),
        }
        for (name, picture), objective, target, index in zip(
            made.pictures.items(), made.objectives, targets, drawn_indices, strict=True
        )
    ]
    return Outcome(made.images, {"size": params.size, "pictures": reports})


def judge(network: Network, picture: Tensor, index: int) -> dict[str, Any]:
    """What a network makes of a picture (1, 3, H, W): the class's logit and probability, and the top 5.

    It sees the picture in the size that it classifies.
    """
    side = network.input_size
    with torch.no_grad():
        logits = network.logits(picture if side is None else resize(picture, side, side))[0].float()
    probabilities = logits.softmax(0)
    best = logits.argsort(descending=True)[:TOP].tolist()
    return {
        "logit": float(logits[index]),
        "probability": float(probabilities[index]),
        "top": ranking(best, probabilities, network.classes),
    }
