"""The networks that torchvision publishes with weights trained on ImageNet, loaded from a folder.

The weights are not part of this project: they are downloaded once, or imported, and kept as
``models.conversion`` writes them.
"""

from collections.abc import Mapping
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
from models.torchvision_ops import import_torchvision

CLASSES = 1000
INPUT_SIZE = 224
# Networks cached on the CPU; one with its classifier takes up to 600 MB.
CACHED = 2


@dataclass(frozen=True)
class Published:
    """A network whose weights torchvision publishes, in a file named after the first 8 digits of its SHA-256.

    ``file`` has about ``bytes`` bytes; ``classifier`` is the first layer of what torchvision calls so.
    """

    title: str
    summary: str
    file: str
    bytes: int
    architecture: str
    architecture_params: dict[str, Any]
    classifier: str

    @property
    def sha256_prefix(self) -> str:
        """The published beginning of the file's SHA-256."""
        return self.file.rpartition("-")[2].partition(".")[0]

    def stack(self) -> Stack:
        """The modules by layer name."""
        return build_stack(self.architecture, self.architecture_params)

    def names(self) -> dict[str, str]:
        """torchvision's names of the parameters (features.0.weight), each with ours.

        It numbers the modules of its ``features``, and from the layer ``classifier`` on those of its
        classifier.
        """
        stack = self.stack()
        first = list(stack).index(self.classifier)
        names: dict[str, str] = {}
        for index, (layer, module) in enumerate(stack.items()):
            theirs = f"features.{index}" if index < first else f"classifier.{index - first}"
            names |= {f"{theirs}.{kind}": f"{layer}.{kind}" for kind, _ in module.named_parameters()}
        return names


PUBLISHED: dict[str, Published] = {
    "vgg19": Published(
        title="VGG-19, ImageNet",
        summary="Trained on photographs; what the literature paints with.",
        file="vgg19-dcbb9e9d.pth",
        bytes=574_673_000,
        architecture="vgg",
        architecture_params={"depth": 19, "classes": CLASSES},
        classifier="fc6",
    ),
    "vgg16": Published(
        title="VGG-16, ImageNet",
        summary="Trained on photographs; VGG-19 with three convolutions fewer.",
        file="vgg16-397923af.pth",
        bytes=553_434_000,
        architecture="vgg",
        architecture_params={"depth": 16, "classes": CLASSES},
        classifier="fc6",
    ),
    "squeezenet1_1": Published(
        title="SqueezeNet 1.1, ImageNet",
        summary="Trained on photographs; the smallest download, and layers with names of their own.",
        file="squeezenet1_1-b8a52dc0.pth",
        bytes=4_959_000,
        architecture="squeezenet1_1",
        architecture_params={"classes": CLASSES},
        classifier="dropout9",
    ),
}


class WeightsMissing(LookupError):
    """The weights of a network, or of its classifier, are not in the folder."""


def class_names() -> list[str]:
    """The 1000 classes by index, from the metadata that torchvision carries."""
    names: list[str] = import_torchvision().models.VGG19_Weights.IMAGENET1K_V1.meta["categories"]
    return names


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
    """A network on modules of a stack, with the normalisation that all networks of torchvision use."""
    classifies = "logits" in stack
    return Network(
        name,
        stack,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
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
