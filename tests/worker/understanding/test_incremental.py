"""Incremental inference gives what computing everything again gives."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.kinds.occlusion import positions
from models.architectures.squeezenet import Fire, squeezenet_stack
from models.architectures.vgg import PooledLinear, vgg_stack
from models.geometry import GlobalAverage, PaddedConv2d, same_padding
from models.network import Network
from models.operations import operations_of
from models.registry import load_network
from models.relu import ReLU, ReLU6
from tests.support.architectures import small_network
from tests.support.networks import make_classifier
from worker.understanding.incremental import Change, IncrementalInference, Rectangle

CPU = torch.device("cpu")


def random_network(stack: dict[str, nn.Module], seed: int = 0) -> Network:
    """He weights, and biases that keep zero from being what padding gives."""
    generator = torch.Generator().manual_seed(seed)
    for each in stack.values():
        for module in each.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.to_empty(device="cpu")
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.normal_(module.bias, 0.0, 0.1, generator=generator)
    network = Network("random", stack, mean=(0.5, 0.4, 0.45), std=(0.25,) * 3, source="a test")
    return network.prepared(CPU, torch.float32)


def drawn(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def incremental(network: Network, picture: Tensor, changes: list[Change], most: int = 16) -> Tensor:
    """The logits of all changes, in their order."""
    inference = IncrementalInference(network, picture)
    assert torch.allclose(inference.logits, network.logits(picture), atol=1e-6)
    found = torch.full((len(changes), inference.logits.shape[1]), float("nan"))
    for group in inference.plan([change.rectangle for change in changes], most):
        members = [int(member) for batch in group for member in batch.members]
        found[members] = inference.logits_of(group, lambda member: changes[member])
    return found


def full(network: Network, picture: Tensor, changes: list[Change]) -> Tensor:
    """The same with every changed picture computed on its own."""
    results = []
    for change in changes:
        changed = picture.clone()
        change.rectangle.of(changed)[0] = change.pixels
        results.append(network.logits(changed)[0])
    return torch.stack(results)


def squares(side: int, window: int, stride: int) -> list[Change]:
    starts = positions(side, window, stride)
    pixels = torch.full((3, window, window), 0.5)
    return [Change(Rectangle(top, left, window, window), pixels) for top in starts for left in starts]


def require_equal(found: Tensor, wanted: Tensor) -> None:
    assert (found - wanted).abs().max() <= 1e-5 * max(1.0, float(wanted.abs().max()))


@pytest.mark.medium
@pytest.mark.parametrize(("side", "window", "stride"), [(64, 16, 16), (67, 9, 29), (65, 65, 1)])
def test_palette(side: int, window: int, stride: int) -> None:
    network, picture = load_network("palette").prepared(CPU, torch.float32), drawn(side, side)
    changes = squares(side, window, stride)
    require_equal(incremental(network, picture, changes), full(network, picture, changes))


@pytest.mark.medium
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_vgg16(pooling: str) -> None:
    network = random_network(vgg_stack(16, width=0.125, classes=7, pooling=pooling))  # type: ignore[arg-type]
    picture, changes = drawn(97, 97), squares(97, 20, 26)
    require_equal(incremental(network, picture, changes), full(network, picture, changes))


@pytest.mark.medium
@pytest.mark.parametrize("side", [75, 82])
def test_squeezenet(side: int) -> None:
    network, picture = random_network(squeezenet_stack(9)), drawn(side, side)
    changes = squares(side, 13, 21)
    require_equal(incremental(network, picture, changes), full(network, picture, changes))


@pytest.mark.medium
@pytest.mark.parametrize("side", [96, 101])
def test_efficientnet_lite0(side: int) -> None:
    network = load_network("efficientnet_lite0").prepared(CPU, torch.float32)
    picture, changes = drawn(side, side), squares(side, 17, 28)
    require_equal(incremental(network, picture, changes), full(network, picture, changes))


@pytest.mark.parametrize("name", ["palette", "efficientnet_lite0"])
def test_all_maps_of_a_network_are_computed_in_part(name: str) -> None:
    kinds = [operation.kind for operation in operations_of(load_network(name))]
    first = kinds.index("whole")
    assert "whole" not in kinds[:first]
    # After the last map there are nothing but fully connected layers.
    assert len(kinds) - first <= 2


WINDOWS = st.tuples(st.integers(1, 5), st.integers(1, 3))


@st.composite
def layers(draw: st.DrawFn) -> dict[str, nn.Module]:
    """Small stacks of all that has a window, and of blocks."""
    stack: dict[str, nn.Module] = {}
    channels = 3
    for place in range(draw(st.integers(1, 5))):
        size, stride = draw(WINDOWS)
        kind = draw(st.sampled_from(["conv", "padded", "grouped", "max", "ceil", "average", "fire"]))
        padding = draw(st.integers(0, size // 2))
        module: nn.Module
        match kind:
            case "conv":
                module, channels = nn.Conv2d(channels, 4, size, stride, padding), 4
            case "padded":
                module, channels = PaddedConv2d(channels, 5, same_padding(size, stride)), 5
            case "grouped":
                module = nn.Conv2d(channels, channels, size, stride, padding, groups=channels)
            case "max":
                module = nn.MaxPool2d(size, stride, padding)
            case "ceil":
                module = nn.MaxPool2d(size, stride, padding, ceil_mode=True)
            case "average":
                module = nn.AvgPool2d(size, stride)
            case _:
                module, channels = Fire(channels, 2, 3), 6
        stack[f"{kind}{place}"] = module
        if draw(st.booleans()):
            stack[f"relu{place}"] = draw(st.sampled_from([ReLU, ReLU6]))()
    if draw(st.booleans()):
        stack["pooled"] = GlobalAverage()
        stack["logits"] = nn.Linear(channels, 3)
    else:
        stack["logits"] = PooledLinear(channels, 2, 3)
    return stack


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(
    layers(),
    st.tuples(st.integers(5, 30), st.integers(5, 30)),
    st.data(),
)
def test_any_rectangles_of_any_stack(
    stack: dict[str, nn.Module], size: tuple[int, int], data: st.DataObject
) -> None:
    network = random_network(stack)
    picture = drawn(*size)
    assume(min(size) >= network.minimum_side(("logits",)))
    changes = []
    for _ in range(data.draw(st.integers(1, 6))):
        top, left = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
        height, width = data.draw(st.integers(1, size[0] - top)), data.draw(st.integers(1, size[1] - left))
        changes.append(Change(Rectangle(top, left, height, width), drawn(height, width, seed=1)[0]))
    wanted = full(network, picture, changes)
    require_equal(incremental(network, picture, changes), wanted)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 64])
def test_the_size_of_batches_changes_nothing(most: int) -> None:
    network, picture, changes = make_classifier(), drawn(40, 40), squares(40, 10, 6)
    require_equal(incremental(network, picture, changes, most), incremental(network, picture, changes))


def test_a_plan_has_each_change_once_and_batches_no_larger_than_asked() -> None:
    inference = IncrementalInference(make_classifier(), drawn(40, 40))
    changes = squares(40, 10, 6)
    plan = inference.plan([change.rectangle for change in changes], 5)
    batches = [batch for group in plan for batch in group]
    assert max(len(batch.members) for batch in batches) <= 5
    assert sorted(int(each) for batch in batches for each in batch.members) == list(range(len(changes)))
    assert inference.plan([]) == []


def test_the_network_and_its_picture_are_left_as_they_are() -> None:
    network, picture = make_classifier(), drawn(40, 40)
    kept, hashed = picture.clone(), network.sha256
    incremental(network, picture, squares(40, 10, 6))
    network._sha256 = None
    assert torch.equal(picture, kept) and network.sha256 == hashed


@pytest.mark.parametrize("name", ["lenet_1998", "alexnet_2012", "resnet20", "cnn-l2", "cnn-sum", "cnn-none"])
def test_layers_of_other_architectures(name: str) -> None:
    network = small_network(name)[0].prepared(CPU, torch.float32)
    side = network.input_size or 0
    picture, changes = drawn(side, side), squares(side, side // 3, side // 4)
    require_equal(incremental(network, picture, changes), full(network, picture, changes))
