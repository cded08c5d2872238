"""torchvision's names of the modules of its networks, and of the batch norms behind their convolutions."""

from collections.abc import Callable, Mapping

from torch import nn

Names = dict[str, str]
"""Our modules with parameters, such as ``res2_1.conv1``, each with torchvision's name of it."""

_BRANCHES = {
    "conv1x1": "branch1",
    "reduce3x3": "branch2.0",
    "conv3x3": "branch2.1",
    "reduce5x5": "branch3.0",
    "conv5x5": "branch3.1",
    "project": "branch4.1",
}


def parametrized(stack: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """The modules that have parameters of their own, by name, in the order of the stack."""
    modules = nn.ModuleDict(stack).named_modules()
    return {name: module for name, module in modules if any(True for _ in module.parameters(recurse=False))}


def sequential(classifier: str) -> Callable[[Mapping[str, nn.Module]], Names]:
    """Names of AlexNet, VGG and SqueezeNet, which number the layers.

    Their ``features`` end, and their ``classifier`` begins, at the layer ``classifier``.
    """

    def names(stack: Mapping[str, nn.Module]) -> Names:
        layers = list(stack)
        first = layers.index(classifier)
        found = {}
        for ours in parametrized(stack):
            layer, dot, inner = ours.partition(".")
            place = layers.index(layer)
            theirs = f"features.{place}" if place < first else f"classifier.{place - first}"
            found[ours] = f"{theirs}{dot}{inner}"
        return found

    return names


def resnet(stack: Mapping[str, nn.Module]) -> Names:
    """Names of a ResNet: res2_1.shortcut is layer1.0.downsample.0."""
    found = {"conv1": "conv1", "logits": "fc"}
    for ours in parametrized(stack):
        if ours.startswith("res"):
            block, _, inner = ours.partition(".")
            stage, _, place = block.removeprefix("res").partition("_")
            inner = "downsample.0" if inner == "shortcut" else inner
            found[ours] = f"layer{int(stage) - 1}.{int(place) - 1}.{inner}"
    return found


def resnet_norm(conv: str) -> str:
    """The norm behind a convolution of a ResNet: bn1 behind conv1."""
    head, _, last = conv.rpartition(".")
    if head.endswith("downsample"):
        return f"{head}.1"
    return f"{head}.{last.replace('conv', 'bn')}".lstrip(".")


def googlenet(stack: Mapping[str, nn.Module]) -> Names:
    """Names of GoogLeNet: inception_3a.reduce3x3 is inception3a.branch2.0.conv."""
    found = {"logits": "fc"}
    for ours in parametrized(stack):
        layer, _, inner = ours.partition(".")
        if inner:
            found[ours] = f"{layer.replace('_', '')}.{_BRANCHES[inner]}.conv"
        elif layer.startswith("conv"):
            found[ours] = f"{layer}.conv"
    return found


def googlenet_norm(conv: str) -> str:
    """The norm behind a convolution of GoogLeNet: conv1.bn behind conv1.conv."""
    return f"{conv.removesuffix('conv')}bn"


def mobilenet(stack: Mapping[str, nn.Module]) -> Names:
    """Names of MobileNetV2: block2.depthwise is features.2.conv.1.0."""
    blocks = sum(name.startswith("block") for name in stack)
    found = {"stem_conv": "features.0.0", "head_conv": f"features.{blocks + 1}.0", "logits": "classifier.1"}
    modules = parametrized(stack)
    for ours in modules:
        layer, _, inner = ours.partition(".")
        if inner:
            # A block that does not expand begins with the depthwise convolution.
            later = int(f"{layer}.expand" in modules)
            place = {"expand": "0.0", "depthwise": f"{later}.0", "project": f"{later + 1}"}[inner]
            found[ours] = f"features.{layer.removeprefix('block')}.conv.{place}"
    return found


def following_norm(conv: str) -> str:
    """The norm with the number after that of its convolution."""
    head, _, place = conv.rpartition(".")
    return f"{head}.{int(place) + 1}"
