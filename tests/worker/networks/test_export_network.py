"""The export of a network as ONNX: what the job leaves, and what it refuses."""

import importlib.util
import json
import re
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from app.errors import ComputationError, InputError
from app.kinds.export_network import SPEC, ExportNetworkParams
from app.networks.catalogue import SHIPPED, get_card
from models.architectures import build_stack
from models.network import Network
from models.registry import load_network
from tests.support import strange_pictures as strange
from tests.support.networks import make_classifier, stripes_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, run_steps
from worker.networks.export_network import export_network

ROOT = Path(__file__).parents[3]


def exported(network: Network, **params: Any) -> Outcome:
    asked = ExportNetworkParams(network=network.name, **params)
    return run_steps(export_network(asked, Inputs(), network, Compute(torch.device("cpu"))))


def test_a_model_says_all_that_is_needed_to_use_it() -> None:
    network = make_classifier()
    outcome = exported(network)
    model = onnx.load_from_string(outcome.files["model"].data)
    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(notes["labels"]) == list(network.classes)
    assert outcome.files["labels"].data.decode().splitlines() == list(network.classes)
    assert json.loads(notes["mean"]) == pytest.approx([0.5, 0.4, 0.45])
    assert json.loads(notes["std"]) == [0.25, 0.25, 0.25]
    assert (notes["temperature"], notes["sha256"], notes["source"]) == ("null", network.sha256, "a test")
    assert outcome.result["input"]["shape"] == ["N", 3, "H", "W"]
    assert outcome.result["bytes"] == len(outcome.files["model"].data)
    assert exported(network, size=32).result["input"]["shape"] == ["N", 3, 32, 32]


@pytest.mark.parametrize(("own", "shape"), [(None, None), (16, ["N", 3, 16, 16])])
def test_one_whose_layers_take_one_size_has_its_own(own: int | None, shape: list[Any] | None) -> None:
    stack = build_stack("mlp", {"side": 8, "classes": 2})
    half = (0.5, 0.5, 0.5)
    network = Network("mlp", stack, mean=half, std=half, source="a test", classes="ab", input_size=own)
    network = network.with_weights(
        {name: torch.rand(each.shape) for name, each in network.stack.state_dict().items()}
    )
    if shape is not None:
        assert exported(network).result["input"]["shape"] == shape
        return
    with pytest.raises(InputError, match="Give the side") as refused:
        exported(network)
    assert refused.value.field == "size"


def test_what_cannot_be_exported_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="does not classify") as refused:
        ExportNetworkParams(network="vgg19-random").resolve(SHIPPED)
    assert refused.value.field == "network" and "/export" in refused.value.detail
    with pytest.raises(InputError, match="needs 4 px at least") as refused:
        exported(make_classifier(), size=3)
    assert refused.value.field == "size"
    with pytest.raises(InputError, match="'conv1'") as refused:
        exported(stripes_network())
    assert refused.value.field == "network"
    find_spec = importlib.util.find_spec

    def without_onnx(name: str) -> ModuleSpec | None:
        return None if name == "onnx" else find_spec(name)

    monkeypatch.setattr("worker.networks.export_network.find_spec", without_onnx)
    with pytest.raises(ComputationError, match=re.escape("pip install 'impasto[onnx]'")):
        exported(make_classifier())


def test_small_networks_are_short_jobs() -> None:
    params = ExportNetworkParams(network="palette")
    assert SPEC.lane_of(params, get_card("palette")) == "short"
    assert SPEC.lane_of(params, get_card("vgg19")) == SPEC.lane_of(params, None) == "long"


@pytest.mark.medium
def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "networks.md").read_text()
    (example,) = re.findall(r"```python\n(import onnxruntime.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    network = load_network("efficientnet_lite0")
    (tmp_path / "efficientnet_lite0.onnx").write_bytes(exported(network, size=224).files["model"].data)
    (tmp_path / "photo.jpg").write_bytes(strange.noise("JPEG", size=(300, 260)))
    names: dict[str, Any] = {}
    exec(example, names)
    with torch.no_grad():
        picture = np.asarray(Image.open("photo.jpg").convert("RGB").resize((224, 224)), np.float32) / 255
        expected = network.logits(torch.from_numpy(picture).permute(2, 0, 1)[None])
    assert np.abs(names["logits"] - expected.numpy()).max() < 1e-4
    assert names["label"] == network.classes[int(expected.argmax())]
