"""What is measured of a result: distances by judges that do not paint, leftover color, speckle, copies."""

import hashlib
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.networks.catalogue import get_card
from app.networks.weights_folder import local_weights
from app.settings import WeightsFolder
from models.conversion import UnusableWeights
from models.imagenet import load_imagenet
from models.network import Network
from models.registry import load_network
from worker.networks.pull_weights import import_file
from worker.optim.pyramids.scales import fit, resize
from worker.training.style_judge import StyleJudge

# Fine to coarse: strides of 4, 8, 8, 16 and 32 px.
LITE0_STYLE = ("block2", "block4", "block6", "block11", "block15")
LITE0_CONTENT = "block6"

# Of `copied`: the longer side of the pictures in pixels, the side of a window in positions.
COPIED_SIDE = 256
WINDOW = 6
TINY = 1e-6
VGG_STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu3_4")
VGG_CONTENT = "relu3_3"

# A style is grey if its chroma is below this: what a JPEG leaves of a grey picture is.
GREY = 0.003
# ITU-R BT.601, for sRGB values.
LUMA = (0.299, 0.587, 0.114)
# The pixels on either side of one, along each direction, that speckle is measured against; the directions, as
# pixels down and right.
REACH = 2
DIRECTIONS = ((0, 1), (0.5, 1), (1, 1), (1, 0.5), (1, 0), (1, -0.5), (1, -1), (0.5, -1))


def judges(vgg: Path | None, folder: Path) -> dict[str, StyleJudge]:
    """The judges by name: EfficientNet-Lite0, and VGG-19 from a file of torchvision's names if there is one.

    ``folder`` keeps the converted weights, rescaled to a mean activation of 1. Raises InputError on ``vgg``.
    """
    lite0 = load_network("efficientnet_lite0", folder=folder if folder.is_dir() else None)
    found = {"lite0": StyleJudge(_ready(lite0), LITE0_STYLE, LITE0_CONTENT)}
    if vgg is not None:
        try:
            network = _imported_vgg(vgg, folder)
        except (UnusableWeights, OSError) as error:
            raise InputError("vgg", f"{vgg}: {error}") from None
        for layer in (*VGG_STYLE, VGG_CONTENT):
            if layer not in network.stack:
                raise InputError("vgg", f"{vgg} ends before {layer}.")
        found["vgg19"] = StyleJudge(_ready(network), VGG_STYLE, VGG_CONTENT)
    return found


def _imported_vgg(file: Path, folder: Path) -> Network:
    """The network of a file, converted once. Raises UnusableWeights, OSError."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    here = local_weights(folder, "vgg19")
    if here is None or here.file_sha256 != sha256:
        import_file(get_card("vgg19"), file, WeightsFolder(folder, ""))
    return load_imagenet(folder, "vgg19", convolutions_only=True)


def _ready(network: Network) -> Network:
    return network.prepared(torch.device("cpu"), torch.float32)


def chroma(picture: Tensor) -> float:
    """How colored a picture is: the standard deviation of RGB less its mean over channels.

    ``picture`` is (1, 3, H, W), sRGB in [0, 1]; a grey one has 0.
    """
    return float((picture - picture.mean(1, keepdim=True)).std(correction=0))


def speckle(picture: Tensor, where: Tensor | None = None) -> float:
    """Single dots: the mean of what sets a pixel apart from its neighbors along every direction, in levels.

    Of each pixel's luma the median of the five on a line through it is taken away, along each of eight
    directions, and the least of the differences counts: a dot differs from its neighbors along each, a
    stroke, a line or an edge not from those along it. (Dong and Xu, "A new directional weighted median filter
    for removal of random-valued impulse noise", IEEE Signal Processing Letters 14, 2007, find noise so.)
    ``picture`` is (1, 3, H, W), sRGB in [0, 1]; the mean is over the pixels of ``where`` (1, 1, H, W), else
    over all (0 if there are none). A texture of dots has it by right: compare with the style's.
    """
    luma = _luma(picture)
    height, width = luma.shape[-2:]
    padded = F.pad(luma, (REACH,) * 4, mode="reflect")
    least = torch.full_like(luma, float("inf"))
    for down, right in DIRECTIONS:
        line = [
            padded[..., REACH + round(step * down) :, REACH + round(step * right) :][..., :height, :width]
            for step in range(-REACH, REACH + 1)
        ]
        least = torch.minimum(least, (luma - torch.stack(line).median(0).values).abs())
    counted = least if where is None else least[where]
    return 255 * float(counted.mean()) if counted.numel() else 0.0


def strong_edges(picture: Tensor) -> Tensor:
    """The tenth where a picture (1, 3, H, W) changes most, and what is beside: bool (1, 1, H, W)."""
    luma = _luma(picture)
    right, down = luma.diff(dim=3, append=luma[..., -1:]), luma.diff(dim=2, append=luma[..., -1:, :])
    steps = torch.hypot(right, down)
    strong = (steps >= steps.flatten().kthvalue(math.ceil(0.9 * steps.numel())).values) & (steps > 0)
    return F.max_pool2d(strong.float(), 3, 1, 1) > 0


def _luma(picture: Tensor) -> Tensor:
    return (picture * picture.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


@torch.no_grad()
def copied(network: Network, picture: Tensor, style: Tensor) -> float | None:
    """Things of the style in the result: how closely windows of it follow the layout of one of the style.

    ``network`` is EfficientNet-Lite0. Both pictures, (1, 3, H, W) in [0, 1], are made 256 px long. A window
    is 6 x 6 positions (48 px) of block 6; of each channel, in units of its standard deviation over the style,
    the mean over the window is taken away, so that only the layout is left, not what there is of a texture.
    Windows are compared by the cosine, each with the most similar of the style; the mean of the twentieth of
    them that is most similar counts. None if a picture is narrower than a window.

    By chance photographs have about 0.1, and tiles of the style in random order 0.15; a face of the style, at
    half opacity over a photograph, 0.45. Textures whose strokes are large, such as whirls, have more too.
    """
    found, wanted = (
        network.features(resize(each, *fit(each, COPIED_SIDE)), (LITE0_CONTENT,))[LITE0_CONTENT]
        for each in (picture, style)
    )
    if min(*found.shape[-2:], *wanted.shape[-2:]) < WINDOW:
        return None
    deviation = wanted.std((2, 3), keepdim=True).clamp_min(TINY)
    cosines = _windows(found / deviation).T @ _windows(wanted / deviation)
    best = cosines.max(1).values
    return float(best.topk(max(1, len(best) // 20)).values.mean())


def _windows(features: Tensor) -> Tensor:
    """The windows of a map (1, C, H, W) as vectors of length 1 without their channels' means, (C * 36, n)."""
    windows = F.unfold(features, WINDOW)[0].view(features.shape[1], WINDOW**2, -1)
    return F.normalize((windows - windows.mean(1, keepdim=True)).flatten(0, 1), dim=0, eps=TINY)
