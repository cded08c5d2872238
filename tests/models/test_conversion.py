"""From torchvision's files to ours: what is read, what is refused, and what comes out."""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models import conversion
from models.conversion import UnusableWeights, convert, read_state_dict
from models.imagenet import (
    PUBLISHED,
    WeightsMissing,
    classifier_path,
    load_imagenet,
    make_network,
    weights_path,
)
from models.network import Network, hash_weights
from models.network_files import DamagedWeights, load_weights, save_weights
from models.reference_pictures import reference_pictures
from models.registry import load_network, weights_version
from models.rescale import mean_activations


def torchvision_state(small: Network) -> dict[str, Tensor]:
    """The weights of the small VGG-16 by torchvision's names."""
    ours = small.stack.state_dict()
    return {theirs: ours[name].clone() for theirs, name in PUBLISHED["vgg16"].names().items()}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A published network as small as ``small``: VGG-16 with 2 to 16 channels and 5 classes."""
    entry = dataclasses.replace(
        PUBLISHED["vgg16"],
        architecture_params={"depth": 16, "width": 1 / 32, "classes": 5},
        file="tiny-12345678.pth",
    )
    monkeypatch.setitem(PUBLISHED, "tiny", entry)
    monkeypatch.setattr(conversion, "SIDE", 48)
    return "tiny"


keep = partial(convert, "tiny", source="drawn here", file_sha256="ab" * 32)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_published_file_is_read_once_its_hash_is_right(
    small: Network, tmp_path: Path, zipped: bool
) -> None:
    path, state = tmp_path / "tiny.pth", torchvision_state(small)
    # torchvision's VGG files are of 2017, from before files of PyTorch were ZIPs.
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    found, digest = read_state_dict(path, sha256[:8])
    assert digest == sha256
    assert all(torch.equal(found[name], weight) for name, weight in state.items())


def test_nothing_else_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / "vgg.pth"
    torch.save({"features.0.weight": Bomb()}, path)
    with pytest.raises(UnusableWeights, match=r"begins with .*, that of the published file with 00000000.*"):
        read_state_dict(path, "00000000")
    # Even one whose hash were right is read as numbers alone.
    prefix = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    with pytest.raises(Exception, match=r"weights_only|Unsupported"):
        read_state_dict(path, prefix)
    assert not (tmp_path / "exploded").exists()


def test_safetensors_are_read_whatever_their_hash(small: Network, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_file(torchvision_state(small), path)
    found, _ = read_state_dict(path, "00000000")
    assert sorted(found) == sorted(PUBLISHED["vgg16"].names())
    path.write_bytes(b"<html>login</html>")
    with pytest.raises(UnusableWeights, match="cannot be read as safetensors"):
        read_state_dict(path, "00000000")


@pytest.mark.medium
def test_the_logits_stay_and_activations_have_mean_one(
    small: Network, picture: Tensor, tmp_path: Path
) -> None:
    about = keep(torchvision_state(small), tmp_path)
    network = load_imagenet(tmp_path, "tiny")
    torch.testing.assert_close(
        network.logits(picture), _as_imagenet(small).logits(picture), rtol=1e-4, atol=1e-5
    )
    # Factors have 8 bits, so a mean is off by 2^-8 at most.
    for name, mean in mean_activations(network, reference_pictures(16, 48, seed=0)).items():
        assert ((mean - 1).abs() < 0.004).logical_or(mean < 0.11).all(), name
    assert (network.classes[:2], len(network.classes)) == (("tench", "goldfish"), 1000)
    assert (network.source, network.input_size) == ("drawn here", 224)
    assert about["layers"] == [layer.name for layer in network.layers]


@pytest.mark.medium
def test_convolutions_alone_are_a_file_of_their_own(small: Network, picture: Tensor, tmp_path: Path) -> None:
    about = keep(torchvision_state(small), tmp_path)
    alone = load_imagenet(tmp_path, "tiny", convolutions_only=True)
    whole = load_imagenet(tmp_path, "tiny")
    assert [layer.name for layer in alone.layers] == [layer.name for layer in whole.layers][:31]
    assert (alone.layers[-1].name, alone.classes, alone.input_size) == ("pool5", (), None)
    assert alone.sha256 == about["sha256"]
    assert torch.equal(
        alone.features(picture, ["relu5_3"])["relu5_3"], whole.features(picture, ["relu5_3"])["relu5_3"]
    )
    classifier_path(tmp_path, "tiny", about["classifier"]).unlink()
    assert load_imagenet(tmp_path, "tiny", convolutions_only=True) is alone
    with pytest.raises(WeightsMissing, match="fully connected"):
        weights_path(tmp_path, "tiny").touch()  # so that it is loaded again
        load_imagenet(tmp_path, "tiny")


@pytest.mark.medium
def test_a_file_may_end_early(small: Network, picture: Tensor, tmp_path: Path) -> None:
    state = torchvision_state(small)
    first = dict(itertools.islice(state.items(), 8))  # four convolutions
    about = keep(first, tmp_path)
    network = load_imagenet(tmp_path, "tiny")
    assert (network.layers[-1].name, network.classes) == ("pool2", ())
    assert (about["layers"][-1], about["classifier"]) == ("pool2", None)
    keep(state, tmp_path)
    whole = load_imagenet(tmp_path, "tiny")
    assert whole.layers[-1].name == "logits"
    torch.testing.assert_close(
        network.features(picture, ["relu2_2"]), whole.features(picture, ["relu2_2"]), rtol=0, atol=0
    )
    # Back again: the classifier that no file of convolutions names is gone.
    keep(first, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_numbers_of_other_types_are_taken(small: Network, tmp_path: Path) -> None:
    halves = {name: weight.half() for name, weight in torchvision_state(small).items()}
    keep(halves, tmp_path)
    assert load_imagenet(tmp_path, "tiny").dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda s: s.pop("features.5.bias"),
            r"features\.5\.bias is missing, but features\.5\.weight is there",
        ),
        (lambda s: s.pop("classifier.3.weight"), r"classifier\.3\.weight is missing"),
        (
            lambda s: s.update(last=torch.ones(1)),
            r"'last', which torchvision's tiny has not; .*features\.0\.w",
        ),
        (lambda s: s.clear(), r"no parameters: the first of tiny is features\.0\.weight"),
        (
            lambda s: s["features.2.bias"].fill_(torch.nan),
            r"features\.2\.bias holds numbers that are not fin",
        ),
        (lambda s: s.update({"features.0.bias": torch.ones(3)}), r"\(3,\), where \(2,\) is needed"),
        (
            lambda s: s["features.5.weight"].zero_() + s["features.5.bias"].fill_(-1)[0],
            r"no trained weights.*c",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    small: Network, tmp_path: Path, change: Callable[[dict[str, Tensor]], object], complaint: str
) -> None:
    state = torchvision_state(small)
    change(state)
    with pytest.raises(UnusableWeights, match=complaint):
        keep(state, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.medium
def test_the_same_file_gives_the_same_hash(small: Network, tmp_path: Path) -> None:
    state = torchvision_state(small)
    first = keep(state, tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(3 - min(threads, 2))
    try:
        assert keep(state, tmp_path) == first
    finally:
        torch.set_num_threads(threads)


@pytest.mark.medium
def test_weights_that_were_replaced_are_loaded_again(small: Network, tmp_path: Path) -> None:
    state = torchvision_state(small)
    keep(state, tmp_path)
    before, version = load_network("tiny", folder=tmp_path), weights_version("tiny", tmp_path)
    assert load_network("tiny", folder=tmp_path) is before
    state["features.0.weight"][0, 0, 0, 0] += 1
    keep(state, tmp_path)
    assert weights_version("tiny", tmp_path) != version
    assert load_network("tiny", folder=tmp_path).sha256 != before.sha256


def test_weights_that_are_not_there_are_missed(tmp_path: Path) -> None:
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(WeightsMissing, match="'vgg19'"):
            load_network("vgg19", folder=folder)
        with pytest.raises(WeightsMissing, match="'vgg19'"):
            weights_version("vgg19", folder)
    assert weights_version("vgg19-random", None) == ()


def test_a_damaged_file_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    weights = {"conv1.bias": torch.arange(4.0)}
    save_weights(path, weights, {"sha256": hash_weights(weights), "more": [1]})
    found, about = load_weights(path)
    assert torch.equal(found["conv1.bias"], weights["conv1.bias"]) and about["more"] == [1]
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(DamagedWeights, match="do not have the hash"):
        load_weights(path)
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(DamagedWeights, match="damaged"):
        load_weights(path)
    save_file(weights, path)
    with pytest.raises(DamagedWeights, match="not written by Impasto"):
        load_weights(path)
    assert [file.name for file in tmp_path.iterdir()] == ["some.safetensors"]


def _as_imagenet(small: Network) -> Network:
    return make_network("small", dict(small.stack.items()), "test", [])
