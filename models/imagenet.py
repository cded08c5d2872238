"""The networks that torchvision publishes with weights trained on ImageNet, loaded from a folder.

The weights are not part of this project: they are downloaded once, or imported, and kept as
``models.conversion`` writes them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from torch import nn

from models.architectures import Stack, build_stack
from models.network import Network
from models.network_files import SUFFIX, load_weights
from models.random_vgg import IMAGENET_MEAN, IMAGENET_STD
from models.torchvision_names import (
    Names,
    following_norm,
    googlenet,
    googlenet_norm,
    mobilenet,
    parametrized,
    resnet,
    resnet_norm,
    sequential,
)

CLASSES = 1000
INPUT_SIZE = 224
# Networks cached on the CPU; one with its classifier takes up to 600 MB.
CACHED = 2


@dataclass(frozen=True)
class Published:
    """A network whose weights torchvision publishes, in a file named after the first 8 digits of its SHA-256.

    ``file`` has about ``bytes`` bytes. ``modules`` gives torchvision's names of our modules; ``norm`` that of
    the batch norm behind a convolution, with its ``epsilon`` (None: there are none); parameters whose names
    begin with one of ``unused`` are for training alone. ``mean`` and ``std`` normalise RGB in [0, 1].
    """

    title: str
    summary: str
    file: str
    bytes: int
    architecture: str
    architecture_params: dict[str, Any]
    modules: Callable[[Stack], Names]
    norm: Callable[[str], str] | None = None
    epsilon: float = 1e-5
    unused: tuple[str, ...] = ()
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD

    @property
    def sha256_prefix(self) -> str:
        """The published beginning of the file's SHA-256."""
        return self.file.rpartition("-")[2].partition(".")[0]

    @property
    def has_norms(self) -> bool:
        """Whether each convolution was trained with a batch norm behind it."""
        return self.norm is not None

    def stack(self) -> Stack:
        """The modules by layer name."""
        return build_stack(self.architecture, self.architecture_params)

    def names(self) -> dict[str, str]:
        """torchvision's names of the parameters (features.0.weight), each with ours, norms folded."""
        stack = self.stack()
        theirs = self.modules(stack)
        return {
            f"{theirs[ours]}.{kind}": f"{ours}.{kind}"
            for ours, module in parametrized(stack).items()
            for kind, _ in module.named_parameters(recurse=False)
        }

    def norms(self) -> dict[str, str]:
        """torchvision's names of the convolutions, each with that of its batch norm."""
        if self.norm is None:
            return {}
        stack = self.stack()
        theirs = self.modules(stack)
        convs = [ours for ours, module in parametrized(stack).items() if isinstance(module, nn.Conv2d)]
        return {theirs[ours]: self.norm(theirs[ours]) for ours in convs}


def _vgg(depth: int, file: str, bytes: int, summary: str) -> Published:
    return Published(
        title=f"VGG-{depth}, ImageNet",
        summary=summary,
        file=file,
        bytes=bytes,
        architecture="vgg",
        architecture_params={"depth": depth, "classes": CLASSES},
        modules=sequential("fc6"),
    )


def _resnet(depth: int, file: str, bytes: int, summary: str) -> Published:
    return Published(
        title=f"ResNet-{depth}, ImageNet",
        summary=summary,
        file=file,
        bytes=bytes,
        architecture="resnet",
        architecture_params={"depth": depth, "classes": CLASSES},
        modules=resnet,
        norm=resnet_norm,
    )


# torchvision's IMAGENET1K_V1 of each. Its names and sizes of files are in the metadata of its weights.
PUBLISHED: dict[str, Published] = {
    "alexnet": Published(
        title="AlexNet, ImageNet",
        summary="Trained on photographs; the network of 2012 that began it all, on one GPU.",
        file="alexnet-owt-7be5be79.pth",
        bytes=244_409_000,
        architecture="alexnet",
        architecture_params={"classes": CLASSES},
        modules=sequential("dropout6"),
    ),
    "vgg11": _vgg(11, "vgg11-8a719046.pth", 531_460_000, "Trained on photographs; the shallowest VGG."),
    "vgg13": _vgg(
        13, "vgg13-19584684.pth", 532_200_000, "Trained on photographs; VGG-11 with two convolutions more."
    ),
    "vgg16": _vgg(
        16, "vgg16-397923af.pth", 553_434_000, "Trained on photographs; VGG-19 with three convolutions fewer."
    ),
    "vgg19": _vgg(
        19, "vgg19-dcbb9e9d.pth", 574_673_000, "Trained on photographs; what the literature paints with."
    ),
    "googlenet": Published(
        title="GoogLeNet, ImageNet",
        summary="Trained on photographs; the network that the first dreams are from, trained anew.",
        file="googlenet-1378be20.pth",
        bytes=52_147_000,
        architecture="googlenet",
        architecture_params={"classes": CLASSES},
        modules=googlenet,
        norm=googlenet_norm,
        epsilon=1e-3,
        unused=("aux1.", "aux2."),
        # Its weights come from TensorFlow, for values from -1 to 1.
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
    ),
    "resnet18": _resnet(
        18, "resnet18-f37072fd.pth", 46_830_000, "Trained on photographs; the smallest ResNet."
    ),
    "resnet34": _resnet(
        34, "resnet34-b627a593.pth", 87_320_000, "Trained on photographs; basic blocks, twice as many."
    ),
    "resnet50": _resnet(
        50, "resnet50-0676ba61.pth", 102_531_000, "Trained on photographs; what the literature compares with."
    ),
    "resnet101": _resnet(
        101, "resnet101-63fe2227.pth", 178_794_000, "Trained on photographs; a hundred layers."
    ),
    "resnet152": _resnet(
        152,
        "resnet152-394f9c45.pth",
        241_628_000,
        "Trained on photographs; the deepest, and slowest, ResNet.",
    ),
    "squeezenet1_1": Published(
        title="SqueezeNet 1.1, ImageNet",
        summary="Trained on photographs; the smallest download, and layers with names of their own.",
        file="squeezenet1_1-b8a52dc0.pth",
        bytes=4_959_000,
        architecture="squeezenet1_1",
        architecture_params={"classes": CLASSES},
        modules=sequential("dropout9"),
    ),
    "mobilenet_v2": Published(
        title="MobileNetV2, ImageNet",
        summary="Trained on photographs; made for phones, and fast without a GPU.",
        file="mobilenet_v2-b0353104.pth",
        bytes=14_213_000,
        architecture="mobilenet_v2",
        architecture_params={"classes": CLASSES},
        modules=mobilenet,
        norm=following_norm,
    ),
}


class WeightsMissing(LookupError):
    """The weights of a network, or of its classifier, are not in the folder."""


def class_names() -> list[str]:
    """The 1000 classes by index, as torchvision names them: its import alone takes longer than torch's."""
    return Path(__file__).with_name("imagenet_classes.txt").read_text("utf-8").splitlines()


def skeleton(name: str) -> Network:
    """The whole network without weights, on the meta device; its card is made from it."""
    published = PUBLISHED[name]
    source = (
        f"torchvision's {published.file}, trained on ImageNet. torchvision's code is BSD-3-Clause; for the "
        "weights it states no licence and refers to the terms of the data they were trained on, and "
        "ImageNet's allow non-commercial research and education."
    )
    return make_network(name, published.stack(), source, class_names())


def make_network(name: str, stack: Mapping[str, nn.Module], source: str, classes: list[str]) -> Network:
    """A network on modules of a stack, with its normalisation, or that of most networks of torchvision."""
    classifies = "logits" in stack
    published = PUBLISHED.get(name)
    return Network(
        name,
        stack,
        mean=IMAGENET_MEAN if published is None else published.mean,
        std=IMAGENET_STD if published is None else published.std,
        source=source,
        classes=classes if classifies else (),
        input_size=INPUT_SIZE if classifies else None,
    )


def without_classifier(stack: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """The modules before the first fully connected layer; all of them if there is none."""
    return dict(takewhile(lambda item: not isinstance(item[1], nn.Linear), stack.items()))


def weights_path(folder: Path, name: str) -> Path:
    """The file of a network's convolutions; of the whole network if it has no fully connected layers."""
    return folder / f"{name}{SUFFIX}"


def classifier_path(folder: Path, name: str, sha256: str) -> Path:
    """The file of the fully connected layers with this hash, which belong to one file of convolutions."""
    return folder / f"{name}-classifier-{sha256[:16]}{SUFFIX}"


def version_of(folder: Path, name: str) -> tuple[int, ...]:
    """Changes whenever a network's file is replaced. Raises WeightsMissing if there is none."""
    try:
        stat = weights_path(folder, name).stat()
    except FileNotFoundError:
        raise WeightsMissing(f"The weights of network {name!r} are not here.") from None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def load_imagenet(folder: Path, name: str, *, convolutions_only: bool = False) -> Network:
    """A network of ``PUBLISHED`` from its weights in a folder, float32 on the CPU.

    It has the layers of the file that it was converted from: an imported one may end early. With
    ``convolutions_only`` the fully connected layers, most of VGG's weights, are left out.

    Raises WeightsMissing, and DamagedWeights for a file that has changed since it was written.
    """
    return _load(folder, name, convolutions_only, version_of(folder, name))


@lru_cache(maxsize=CACHED)
def _load(folder: Path, name: str, convolutions_only: bool, version: tuple[int, ...]) -> Network:
    del version  # a file that was replaced is loaded again
    weights, about = load_weights(weights_path(folder, name))
    modules = PUBLISHED[name].stack()
    stack = {layer: modules[layer] for layer in about["layers"]}
    classes = about["classes"]
    if convolutions_only:
        stack = without_classifier(stack)
    elif about["classifier"] is not None:
        try:
            more, of_more = load_weights(classifier_path(folder, name, about["classifier"]))
        except FileNotFoundError:
            raise WeightsMissing(
                f"The fully connected layers of network {name!r} are not here any more."
            ) from None
        weights, classes = weights | more, of_more["classes"]
    return make_network(name, stack, about["source"], classes).with_weights(weights)
