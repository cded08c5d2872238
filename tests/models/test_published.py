"""The networks that torchvision publishes: names, counts and outputs are those of its own modules."""

from functools import lru_cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from app.networks import get_card
from models import conversion
from models.conversion import UnusableWeights, convert, read_state_dict
from models.imagenet import PUBLISHED, load_imagenet, skeleton
from models.network import Network
from models.registry import load_network
from models.rescale import can_be_rescaled
from models.torchvision_ops import import_torchvision


def torchvisions(name: str, aux: bool = False) -> nn.Module:
    """torchvision's module in eval mode; GoogLeNet's as its published weights need it."""
    made = getattr(import_torchvision().models, name)
    if name == "googlenet":
        # The files have the auxiliary classifiers, which the published network drops.
        network: nn.Module = made(weights=None, transform_input=True, aux_logits=aux, init_weights=False)
    else:
        network = made(weights=None)
    return network.eval()


def fill(module: nn.Module, seed: int = 0) -> None:
    """Weights and statistics of a kind that no two channels share, so that no two can be confused."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.dim() > 1:
            nn.init.kaiming_normal_(value, generator=generator)
        elif name.endswith("num_batches_tracked"):
            value.fill_(7)
        elif name.endswith("weight") or name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.normal_(0, 0.1, generator=generator)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_what_torchvision_says(name: str) -> None:
    theirs = import_torchvision().models.get_model_weights(name).IMAGENET1K_V1
    ours, card = PUBLISHED[name], get_card(name)
    assert theirs.url == f"https://download.pytorch.org/models/{ours.file}"
    assert ours.bytes == pytest.approx(theirs.meta["_file_size"] * 2**20, abs=1000)
    assert ours.sha256_prefix == theirs.url[-12:-4]
    network = skeleton(name)
    assert (card.trained_parameters or card.parameters) == theirs.meta["num_params"]
    assert network.minimum_side(["logits"]) == theirs.meta["min_size"][0]
    assert network.classes == tuple(theirs.meta["categories"])
    # In billions, with the biases of fully connected layers.
    assert card.multiply_adds == pytest.approx(theirs.meta["_ops"] * 1e9, abs=1e6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_parameter_has_a_place(name: str) -> None:
    published = PUBLISHED[name]
    with torch.device("meta"):
        theirs = torchvisions(name, aux=True).state_dict()
    wanted = nn.ModuleDict(published.stack()).state_dict()
    names, norms = published.names(), published.norms()
    known = set(names) | {f"{norm}.{part}" for norm in norms.values() for part in conversion.NORM}
    counts = {f"{norm}{conversion.COUNTED}" for norm in norms.values()}
    strange = {key for key in theirs if not key.startswith(published.unused or ("aux",))}
    # Folded convolutions have biases, which the norms had.
    folded = {f"{conv}.bias" for conv in norms}
    assert strange == (known - folded) | counts
    assert set(names.values()) == set(wanted)
    for their_name, our_name in names.items():
        if their_name not in folded:
            assert theirs[their_name].shape == wanted[our_name].shape


@lru_cache(maxsize=1)
def filled(name: str) -> nn.Module:
    with torch.device("meta"):
        theirs = torchvisions(name, aux=True)
    theirs.to_empty(device="cpu")
    fill(theirs)
    return theirs


def converted(name: str, folder: Path) -> Network:
    """The network from a file in torchvision's own format, with the weights of ``filled``."""
    path = folder / PUBLISHED[name].file
    torch.save(filled(name).state_dict(), path)
    state, sha256 = read_state_dict(path, "")
    convert(name, state, folder / "weights", source="drawn here", file_sha256=sha256)
    return load_imagenet(folder / "weights", name)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", (80, 95)),
        ("googlenet", (80, 95)),
        ("resnet18", (64, 77)),
        ("resnet34", (64, 77)),
        ("resnet50", (64, 77)),
        ("mobilenet_v2", (64, 77)),
        ("squeezenet1_1", (64, 77)),
    ],
)
def test_logits_are_torchvisions(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "SIDE", 72)
    monkeypatch.setattr(conversion, "PICTURES", 2)
    (tmp_path / "weights").mkdir()
    ours = converted(name, tmp_path)
    picture = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    mean = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    with torch.no_grad():
        expected = filled(name)((picture - mean) / std)
    assert expected.std() > 0.01
    scale = float(expected.abs().max())
    torch.testing.assert_close(ours.logits(picture) / scale, expected / scale, rtol=0, atol=1e-4)
    assert can_be_rescaled(ours) == (name in {"alexnet", "squeezenet1_1"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet101", pytest.param("resnet152", marks=pytest.mark.long)])
def test_deep_resnets_are_torchvisions(name: str, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    ours = converted(name, tmp_path)
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = filled(name)((picture - ours.mean) / ours.std)
    scale = float(expected.abs().max())
    torch.testing.assert_close(ours.logits(picture) / scale, expected / scale, rtol=0, atol=1e-4)


def small_state() -> dict[str, Tensor]:
    return dict(filled("mobilenet_v2").state_dict())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda s: s.pop("features.2.conv.0.1.running_var"),
            "features.2.conv.0.1.running_var is missing, but",
        ),
        (lambda s: s.pop("features.2.conv.0.0.weight"), r"features.2.conv.0.0.weight is missing, but"),
        (
            lambda s: s.update({"features.0.1.bias": torch.zeros(31)}),
            r"features.0.1.bias has the shape \(31,\)",
        ),
        (lambda s: s.update({"features.0.1.bias": torch.full((32,), torch.nan)}), "not finite"),
        (lambda s: s.update({"aux1.conv.weight": torch.zeros(1)}), "'aux1.conv.weight', which torchvision's"),
    ],
)
def test_what_does_not_fit_is_refused(change: object, complaint: str, tmp_path: Path) -> None:
    state = small_state()
    assert callable(change)
    change(state)
    with pytest.raises(UnusableWeights, match=complaint):
        convert("mobilenet_v2", state, tmp_path, source="drawn here", file_sha256="ab" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_end_early(tmp_path: Path) -> None:
    last = "features.5."
    keys = list(small_state())
    end = max(place for place, key in enumerate(keys) if key.startswith(last)) + 1
    state = {key: weight for key, weight in small_state().items() if key in keys[:end]}
    convert("mobilenet_v2", state, tmp_path, source="drawn here", file_sha256="ab" * 32)
    network = load_network("mobilenet_v2", folder=tmp_path)
    assert [layer.name for layer in network.layers][-1] == "block5" and network.classes == ()


def test_googlenet_takes_values_from_minus_one_to_one() -> None:
    card = get_card("googlenet")
    assert (card.mean, card.std) == ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("name", "layer", "kind", "channels", "stride", "field"),
    [
        ("alexnet", "pool5", "pool", 256, 32, 195),
        ("googlenet", "inception_4c", "inception", 512, 16, 171),
        ("resnet50", "res2_3", "residual", 256, 4, 35),
        ("resnet18", "res5_2", "residual", 512, 32, 435),
        ("mobilenet_v2", "head", "relu", 1280, 32, 491),
    ],
)
def test_known_layers(name: str, layer: str, kind: str, channels: int, stride: int, field: int) -> None:
    found = get_card(name).layer(layer)
    assert (found.kind, found.channels, found.stride, found.receptive_field) == (
        kind,
        channels,
        stride,
        field,
    )


@pytest.mark.medium
@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2"])
def test_positions_see_what_is_said(name: str) -> None:
    stack = PUBLISHED[name].stack()
    weights = {
        key: torch.full(weight.shape, 0.5 / max(1, weight[0].numel()), dtype=torch.float64)
        if weight.dim() > 1
        else torch.full(weight.shape, 1e-3, dtype=torch.float64)
        for key, weight in nn.ModuleDict(stack).state_dict().items()
    }
    network = Network(name, stack, mean=(0,) * 3, std=(1,) * 3, source="a test").with_weights(weights)
    exact = network.with_pooling("average").prepared(torch.device("cpu"), torch.float64)
    picture = torch.rand(1, 3, 320, 40, dtype=torch.float64, requires_grad=True)
    # Beyond, the picture does not reach to the ends, or the pools within the modules choose.
    layers = [
        layer for layer in exact.layers if 0 < layer.receptive_field < 200 and layer.kind != "inception"
    ]
    found = exact.features(picture, [layer.name for layer in layers])
    for layer in layers:
        window = exact.window(layer.name)
        assert window is not None
        place = found[layer.name].shape[2] // 2
        (seen,) = torch.autograd.grad(found[layer.name][0, :, place].sum(), picture, retain_graph=True)
        rows = seen[0].abs().sum((0, 2)).nonzero().flatten()
        first = place * window.stride - window.padding
        assert (int(rows[0]), int(rows[-1])) == (max(0, first), min(320, first + window.size) - 1), layer
