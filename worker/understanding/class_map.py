"""Class maps: a classifier slid over a large picture, all positions at once.

Fully connected layers are convolutions that see as many positions as they have weights for: over a larger
picture they give a score for each window of that size, at the cost of one forward pass.

- Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional
  networks", ICLR 2014, section 3.5.
- Long, Shelhamer, Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015, section 3.1.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.class_map import ResolvedClassMap
from app.kinds.classes import class_index
from app.networks.card import USUAL_SIDE
from models.architectures.vgg import PooledLinear
from models.geometry import is_whole, window_of
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.optim.memory import require_memory
from worker.optim.pyramids.scales import fit, resize
from worker.understanding.class_map_figure import Grid, draw
from worker.understanding.finite import require_finite
from worker.understanding.tables import npz_file
from worker.understanding.verdicts import ranking
from worker.understanding.views import as_input

# Classes that the result names as those of most positions.
NAMED = 6


def class_map(
    params: ResolvedClassMap,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """The probability of each class in each window of the picture, of the side that the network classifies.

    A window's scores are those of the same square cut out and classified, but for its edges: cut out it is
    surrounded by the network's padding, here by the rest of the picture. The class is ``params.target``, or
    else what the network takes the middle of the picture for, as kind ``classify`` does.

    Artifacts: ``image``, the figure; ``view``, the picture at the size seen; ``class_map``, the probability
    in colors, and ``class_map_overlay``, over the picture; ``maps``, the numbers (NumPy's npz). The result
    has the strongest window, and the probability of the class as the middle is classified.

    Raises InputError on ``size`` if the picture is smaller than a window, or takes too much memory;
    ComputationError if scores are not finite.
    """
    del resume
    picture = inputs.picture("image").to(compute.device)
    picture = resize(picture, *fit(picture, params.size))
    height, width = picture.shape[2:]
    _require_size(params, network, min(height, width))
    require_memory(network, ("logits",), (height, width), params.size, compute, tiles=False, gradient=False)
    with torch.no_grad():
        logits = dense_logits(network, picture).cpu()
        middle = network.logits(as_input(picture, window_grid(network).side))[0].float().cpu()
    require_finite(network, logits)
    require_finite(network, middle)
    yield Step(1, 1, losses=dict, image=None, state=lambda: StepState({}, {}))
    probabilities, judged = logits.softmax(0), middle.softmax(0)
    index = int(judged.argmax()) if params.target is None else class_index(network.classes, params.target)
    found, grid = probabilities[index], window_grid(network)
    best = probabilities.argmax(0)
    y, x = divmod(int(found.argmax()), found.shape[1])
    strongest = {
        "position": [y, x],
        "probability": float(found[y, x]),
        "logit": float(logits[index, y, x]),
        "box": dict(zip(("top", "left", "bottom", "right"), grid.window(y, x, height, width), strict=True)),
    }
    common = _common(best, network.classes)
    images = draw(picture.cpu(), found, best, grid, network.name, network.classes[index], strongest, common)
    result = {
        "network": network.name,
        "size": params.size,
        **ranking([index], judged, network.classes)[0],
        "rows": found.shape[0],
        "columns": found.shape[1],
        "window": grid.side,
        "stride": grid.stride,
        "strongest": strongest,
        "common": common,
    }
    # (rows, columns): the probability, float32, and the index of the most likely class, int64.
    maps = npz_file({"class_map": found.numpy(), "classes": best.numpy()})
    return Outcome({**images, "view": picture.cpu()}, result, files={"maps": maps})


def dense_logits(network: Network, picture: Tensor) -> Tensor:
    """The scores of the classes in each window of a picture (1, 3, H, W), (classes, rows, columns) float32.

    Networks with a global average have the mean over each window in its place; the first of VGG's fully
    connected layers is a convolution over 7 by 7 positions (over none but its own side, so without the
    averaging that lets it classify other sizes). A network that was trained at another side averages in each
    window.
    """
    last, head = _head(network)
    features = network.features(picture, (last,))[last]
    module, side = network.stack[head], _positions(network)
    grid = module.grid if isinstance(module, PooledLinear) else 1
    if grid > 1 and grid != side:
        windows = features[0].unfold(1, side, 1).unfold(2, side, 1).permute(1, 2, 0, 3, 4)
        rows, columns = windows.shape[:2]
        flat = torch.cat([network.features_from(last, row, ("logits",))["logits"] for row in windows])
    elif isinstance(module, PooledLinear) and grid > 1:
        weight = module.weight.view(module.out_features, features.shape[1], grid, grid)
        scores = F.conv2d(features, weight, module.bias)
        rows, columns = scores.shape[2:]
        flat = scores[0].flatten(1).T
        if head != "logits":
            flat = network.features_from(head, flat, ("logits",))["logits"]
    else:
        means = F.avg_pool2d(features, side, stride=1)
        rows, columns = means.shape[2:]
        each = means[0].flatten(1).T[:, :, None, None]
        flat = network.features_from(last, each, ("logits",))["logits"]
    return flat.float().T.reshape(-1, rows, columns)


def window_grid(network: Network) -> Grid:
    """Where the windows of a network's class map lie."""
    last, _ = _head(network)
    seen = network.window(last)
    assert seen is not None  # noqa: S101 - the layer before the head has positions
    return Grid(_side(network), seen.stride)


def _head(network: Network) -> tuple[str, str]:
    """The last layer with positions, and the one behind it that sees all of them."""
    before = ""
    for name, module in network.stack.items():
        if is_whole(module):
            return before, name
        before = name
    raise InputError("network", f"{network.name} has no layer that sees the whole picture.")


def _side(network: Network) -> int:
    return network.input_size or USUAL_SIDE


def _positions(network: Network) -> int:
    """Positions on a side of the last maps, for a picture of the size that the network classifies."""
    last, _ = _head(network)
    side = _side(network)
    for name, each in network.stack.items():
        window = window_of(each)
        side = side if window is None else window.output_side(side)
        if name == last:
            break
    return side


def _require_size(params: ResolvedClassMap, network: Network, short: int) -> None:
    side = _side(network)
    if short < side:
        enough = -(-params.size * side // short)
        raise InputError(
            "size",
            f"At size {params.size} the picture's short side has {short} px, and a window {side}: the "
            f"smallest size that works is {enough}.",
        )


def _common(best: Tensor, classes: Any) -> list[dict[str, Any]]:
    """The classes that are the most likely of the most positions, with the share of these."""
    counts = torch.bincount(best.flatten(), minlength=len(classes))
    order = counts.argsort(descending=True, stable=True)[:NAMED].tolist()
    return [
        {"class": classes[place], "index": place, "share": int(counts[place]) / best.numel()}
        for place in order
        if counts[place] > 0
    ]
