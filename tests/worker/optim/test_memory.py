"""Pictures that are too large for a network without tiles."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from app.errors import InputError
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.optim.memory import require_memory
from worker.runtime.functions import steps_of

COMPUTE = Compute(torch.device("cpu"), picture_bytes=8_000_000)


def test_the_size_that_fits_is_named() -> None:
    network = load_network("efficientnet_lite0")
    with pytest.raises(InputError) as refused:
        require_memory(network, ["block11"], (300, 400), 400, COMPUTE)
    assert refused.value.field == "size"
    found = re.search(r"the largest size that fits is (\d+)", refused.value.detail)
    assert found is not None
    fits = int(found[1])
    require_memory(network, ["block11"], (300 * fits // 400, fits), fits, COMPUTE)
    with pytest.raises(InputError):
        require_memory(network, ["block11"], (fits, fits + 30), fits + 30, COMPUTE)
    require_memory(network, ["stem"], (80, 80), 80, COMPUTE)


def test_a_network_in_tiles_takes_any_size() -> None:
    require_memory(load_network("palette"), ["relu4_3"], (8192, 8192), 8192, COMPUTE)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("style_transfer", {"content": "c", "style": ["s"]}),
        ("texture_synthesis", {"image": "i"}),
        ("deep_dream", {"image": "i"}),
        ("class_visualization", {"target": ["tabby"]}),
        ("feature_visualization", {"layer": "block9", "channels": [1]}),
        ("feature_inversion", {"image": "i"}),
        ("adversarial", {"image": "i"}),
        ("adversarial", {"method": "fooling", "target": "tabby"}),
    ],
)
def test_kinds_refuse_before_they_compute(kind: str, asked: dict[str, Any]) -> None:
    params = KINDS[kind].params.model_validate({**asked, "network": "efficientnet_lite0", "size": 600})
    params = params.resolve(SHIPPED)
    pictures = {name: [torch.rand(1, 3, 600, 600)] * len(refs) for name, refs in params.pictures().items()}
    compute = replace(COMPUTE, picture_bytes=80_000_000)
    with pytest.raises(InputError, match="the largest size that fits is") as refused:
        run_steps(
            steps_of(params, Inputs.of(pictures), load_network("efficientnet_lite0"), compute), lambda _: None
        )
    assert refused.value.field == "size"
