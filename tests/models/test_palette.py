from pathlib import Path

import pytest
import torch
from torch import nn

from models.architectures.palette import palette_stack
from models.network import Network
from models.palette import FILE, folded_palette, palette, palette_facts, save_palette
from models.procedural import CLASSES, DATA_VERSION
from models.reference_pictures import reference_pictures
from models.registry import load_network
from worker.training.evaluation import accuracy, unseen_pictures
from worker.training.palette import palette_model


@pytest.fixture(scope="module")
def shipped() -> Network:
    return palette()


def test_the_shipped_file_says_what_it_is(shipped: Network) -> None:
    facts = palette_facts()
    assert facts["classes"] == list(CLASSES)
    assert facts["data_version"] == DATA_VERSION
    assert facts["command"].startswith("impasto palette train --seed ")
    assert {"seed", "commit", "device", "accuracy", "mean", "std", "input_size"} <= set(facts)
    assert FILE.stat().st_size < 11e6
    assert shipped.classes == CLASSES
    assert load_network("palette").sha256 == shipped.sha256


def test_it_has_the_layers_of_vgg19_at_half_width(shipped: Network) -> None:
    channels = {layer.name: layer.channels for layer in shipped.layers}
    assert [channels[f"relu{stage}_1"] for stage in range(1, 6)] == [32, 64, 128, 256, 256]
    assert channels["relu5_4"] == 256
    assert channels["logits"] == 64
    assert all(isinstance(pool, torch.nn.AvgPool2d) for name, pool in shipped.stack.items() if "pool" in name)


@pytest.mark.slow
def test_it_knows_what_it_has_never_seen(shipped: Network) -> None:
    pictures, classes = unseen_pictures("train", 1, 128)
    assert accuracy(shipped.logits, pictures, classes) > 0.8


@pytest.mark.medium
def test_activations_are_about_one(shipped: Network) -> None:
    pictures, _ = unseen_pictures("train", 1, 128)
    layers = [layer.name for layer in shipped.layers if layer.kind == "relu"]
    with torch.no_grad():
        for name, features in shipped.features(pictures[::4], layers).items():
            assert 0.4 < float(features.mean()) < 2.5, name


@pytest.mark.medium
def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    model = palette_model(seed=5).eval()
    network = folded_palette(model, reference_pictures(count=4, side=64, seed=0))
    pictures = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(pictures)
    torch.testing.assert_close(network.logits(pictures), expected, rtol=1e-3, atol=1e-5)
    path = tmp_path / "own.safetensors"
    save_palette(network, {"seed": 5}, path)
    assert palette_facts(path)["seed"] == 5
    loaded = palette(path)
    assert loaded.classes == CLASSES
    scale = float(expected.abs().max())
    torch.testing.assert_close(loaded.logits(pictures), expected, rtol=0.02, atol=0.02 * scale)
    assert [path.name for path in tmp_path.iterdir()] == ["own.safetensors"]


def test_training_begins_from_the_same_layers() -> None:
    model = palette_model(0)
    assert list(model.stack) == list(palette_stack(64))
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == 16
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 64)
