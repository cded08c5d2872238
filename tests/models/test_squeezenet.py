"""SqueezeNet 1.1, against torchvision's modules and what its positions really see."""

import pytest
import torch
from torch import Tensor, nn

from models.architectures.squeezenet import squeezenet_stack
from models.imagenet import PUBLISHED
from models.network import Layer, Network
from models.torchvision_ops import import_torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def fill(module: nn.Module, positive: bool = False) -> dict[str, Tensor]:
    """Seeded He weights by name for a module from the meta device, given to it too."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, weight in module.state_dict().items():
        scale = (2 / weight[0].numel()) ** 0.5 if weight.dim() == 4 else 0.1
        weights[name] = torch.randn(weight.shape, generator=generator) * scale
        if positive:
            weights[name] = weights[name].abs()
    module.load_state_dict(weights, assign=True)
    return weights


def network(positive: bool = False) -> Network:
    empty = Network("squeezenet1_1", squeezenet_stack(1000), mean=MEAN, std=STD, source="none")
    return empty.with_weights(fill(nn.ModuleDict(squeezenet_stack(1000)), positive))


def test_layers() -> None:
    layers = {layer.name: layer for layer in network().layers}
    fires = [f"fire{place}" for place in range(2, 10)]
    assert list(layers) == [
        *("conv1", "relu1", "pool1", *fires[:2], "pool3", *fires[2:4], "pool5", *fires[4:]),
        *("dropout9", "conv10", "relu10", "logits"),
    ]
    assert layers["conv1"] == Layer("conv1", "conv", 64, 2, 3)
    assert layers["pool1"] == Layer("pool1", "pool", 64, 4, 7)
    assert layers["fire2"] == Layer("fire2", "fire", 128, 4, 15)
    assert layers["pool5"] == Layer("pool5", "pool", 256, 16, 79)
    assert layers["fire9"] == Layer("fire9", "fire", 512, 16, 207)
    assert layers["logits"] == Layer("logits", "logits", 1000, 0, 0)


@pytest.mark.parametrize("size", [(64, 64), (75, 91), (17, 40)])
def test_it_gives_what_torchvisions_gives(size: tuple[int, int]) -> None:
    with torch.device("meta"):
        theirs = import_torchvision().models.squeezenet1_1(weights=None).eval()
    names = PUBLISHED["squeezenet1_1"].names()
    given = fill(theirs)
    empty = Network("squeezenet1_1", squeezenet_stack(1000), mean=MEAN, std=STD, source="none")
    ours = empty.with_weights({names[name]: weight for name, weight in given.items()})
    assert sorted(names) == sorted(given)
    picture = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))

    x = (picture - ours.mean) / ours.std
    expected = theirs(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(ours.logits(picture), expected)
    before_classifier = [layer.name for layer in ours.layers][:13]
    found = ours.features(picture, before_classifier)
    for module, name in zip(theirs.features, before_classifier, strict=True):
        x = module(x)
        torch.testing.assert_close(found[name], x, msg=name)


def test_positions_see_what_is_said() -> None:
    # Averages pass a gradient to all that they see, and positive weights let none cancel.
    exact = network(positive=True).with_pooling("average").prepared(torch.device("cpu"), torch.float64)
    picture = torch.rand(1, 3, 240, 16, dtype=torch.float64, requires_grad=True)
    layers = [layer for layer in exact.layers if layer.stride]
    found = exact.features(torch.cat([picture] * 2, 3), [layer.name for layer in layers])
    for layer in layers:
        middle = found[layer.name][0, :, found[layer.name].shape[2] // 2]
        (seen,) = torch.autograd.grad(middle.sum(), picture, retain_graph=True)
        rows = seen[0].sum((0, 2)).nonzero().flatten()
        assert rows.max() - rows.min() + 1 == layer.receptive_field, layer


def test_strides_are_what_is_said() -> None:
    net = network(positive=True)
    layers = [layer for layer in net.layers if layer.stride]
    few = net.features(torch.rand(1, 3, 64, 33), [layer.name for layer in layers])
    more = net.features(torch.rand(1, 3, 64 + 32, 33), [layer.name for layer in layers])
    for layer in layers:
        assert more[layer.name].shape[2] - few[layer.name].shape[2] == 32 // layer.stride, layer


@pytest.mark.parametrize(("layer", "side"), [("conv1", 3), ("pool1", 5), ("fire3", 5), ("logits", 17)])
def test_the_smallest_picture(layer: str, side: int) -> None:
    net = network()
    # torchvision's metadata say 17 px too.
    assert net.minimum_side([layer]) == side
    assert net.features(torch.rand(1, 3, side, side), [layer])[layer].numel()
    with pytest.raises(ValueError, match="too small"):
        net.features(torch.rand(1, 3, side - 1, side), [layer])


def test_pooling_keeps_the_size() -> None:
    net = network()
    picture = torch.rand(1, 3, 70, 53)
    usual = net.features(picture, ["pool5"])["pool5"]
    other = net.with_pooling("average").features(picture, ["pool5"])["pool5"]
    assert usual.shape == other.shape and not torch.equal(usual, other)
