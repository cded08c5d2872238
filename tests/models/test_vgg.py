"""VGG-16 and VGG-19, against the paper's table and torchvision's modules."""

import pytest
import torch
from torch import Tensor, nn

from models.architectures.vgg import Depth, vgg_stack
from models.imagenet import PUBLISHED
from models.network import Layer, Network
from models.torchvision_ops import import_torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(depth: Depth, width: float = 1.0, classes: int = 0) -> Network:
    stack = vgg_stack(depth, width=width, classes=classes)
    return Network(f"vgg{depth}", stack, mean=MEAN, std=STD, source="none")


def test_names_of_vgg19() -> None:
    names = [layer.name for layer in network(19, classes=1000).layers]
    assert names[:5] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]
    assert names[28:36] == [f"{kind}5_{place}" for place in range(1, 5) for kind in ("conv", "relu")]
    assert names[36] == "pool5"
    assert names[37:] == ["fc6", "relu6", "dropout6", "fc7", "relu7", "dropout7", "logits"]


# Sums over the paper's table 1, weights and biases; its table 2 rounds the first two to millions.
@pytest.mark.parametrize(
    ("depth", "width", "classes", "parameters"),
    [
        (16, 1.0, 1000, 138_357_544),
        (19, 1.0, 1000, 143_667_240),
        (16, 1.0, 0, 14_714_688),
        (19, 1.0, 0, 20_024_384),
        (19, 0.5, 0, 5_007_904),
    ],
)
def test_parameters(depth: Depth, width: float, classes: int, parameters: int) -> None:
    assert sum(p.numel() for p in network(depth, width, classes).parameters()) == parameters


def test_layers_of_vgg19() -> None:
    layers = {layer.name: layer for layer in network(19, classes=10).layers}
    assert layers["conv1_1"] == Layer("conv1_1", "conv", 64, 1, 3)
    assert layers["pool1"] == Layer("pool1", "pool", 64, 2, 6)
    assert layers["relu4_1"] == Layer("relu4_1", "relu", 512, 8, 68)
    assert layers["relu5_1"] == Layer("relu5_1", "relu", 512, 16, 156)
    assert layers["relu5_4"] == Layer("relu5_4", "relu", 512, 16, 252)
    assert layers["pool5"] == Layer("pool5", "pool", 512, 32, 268)
    assert layers["fc6"] == Layer("fc6", "fc", 4096, 0, 0)
    assert layers["dropout7"] == Layer("dropout7", "dropout", 4096, 0, 0)
    assert layers["logits"] == Layer("logits", "logits", 10, 0, 0)


def test_half_width() -> None:
    layers = {layer.name: layer.channels for layer in network(16, 0.5, classes=10).layers}
    channels = [layers[f"conv{stage}_1"] for stage in range(1, 6)]
    assert channels == [32, 64, 128, 256, 256]
    assert layers["fc7"] == 2048
    assert layers["logits"] == 10


def fill(module: nn.Module) -> None:
    """Give a module from the meta device seeded weights.

    Convolutions get He weights. Fully connected layers get products of two vectors, which are made in
    a moment even where they are 400 MB, and still tell any two rows and any two columns apart.
    """
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, Tensor] = {}
    for name, weight in module.state_dict().items():
        if weight.dim() == 2:
            rows, columns = (torch.randn(n, generator=generator) for n in weight.shape)
            weights[name] = torch.outer(rows, columns * weight.shape[1] ** -0.5)
        else:
            scale = (2 / weight[0].numel()) ** 0.5 if weight.dim() == 4 else 0.1
            weights[name] = torch.randn(weight.shape, generator=generator) * scale
    module.load_state_dict(weights, assign=True)


@pytest.mark.parametrize("depth", [16, 19])
def test_convolutions_give_what_torchvisions_give(depth: Depth) -> None:
    with torch.device("meta"):
        features = getattr(import_torchvision().models, f"vgg{depth}")(weights=None).features
    fill(features)
    names = PUBLISHED[f"vgg{depth}"].names()
    ours = network(depth).with_weights({names[f"features.{k}"]: v for k, v in features.state_dict().items()})
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))

    found = ours.features(picture, [layer.name for layer in ours.layers])
    x = (picture - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert len(features) == len(found)
    for module, (name, activation) in zip(features, found.items(), strict=True):
        x = module(x.clone())
        torch.testing.assert_close(activation, x, msg=name)
    assert x.shape == (1, 512, 1, 1)


@pytest.mark.medium
def test_classifier_gives_what_torchvisions_gives() -> None:
    with torch.device("meta"):
        theirs = import_torchvision().models.vgg16(weights=None, num_classes=6).eval()
    fill(theirs)
    names = PUBLISHED["vgg16"].names()
    ours = network(16, classes=6).with_weights({names[k]: v for k, v in theirs.state_dict().items()})
    assert sorted(names.values()) == sorted(ours.stack.state_dict())
    # At pool5 this is 1 × 2 positions, so the pooling to 7 × 7 is seen to be the same too.
    picture = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    expected = theirs((picture - ours.mean) / ours.std)
    assert expected.std() > 0.01
    torch.testing.assert_close(ours.logits(picture), expected)
