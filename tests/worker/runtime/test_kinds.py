"""The functions that compute the kinds."""

import inspect
from types import NoneType
from typing import get_args, get_type_hints

import pytest
import torch

from app.kinds import KINDS, KindSpec, Params
from app.kinds.base import NetworkNeed
from app.kinds.deep_dream import DeepDreamParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Steps, StepState
from worker.networks.loading import NetworkLoader, compute_for, network_for
from worker.runtime.functions import load_function


@pytest.mark.parametrize("spec", KINDS.values(), ids=lambda spec: spec.name)
def test_the_function_of_every_kind_fits_the_contract(spec: KindSpec[Params]) -> None:
    function = load_function(spec.function)
    hints = get_type_hints(function)
    assert list(inspect.signature(function).parameters) == [
        "params",
        "inputs",
        "network",
        "compute",
        "resume",
    ]
    taken = get_args(hints["params"]) or (hints["params"],)
    for resolved in spec.resolved or (spec.params,):
        assert issubclass(resolved, spec.params) and issubclass(resolved, taken)
    assert set(get_args(hints["network"]) or (hints["network"],)) <= {Network, NoneType}
    assert (hints["inputs"], hints["compute"]) == (Inputs, Compute)
    assert (hints["resume"], hints["return"]) == (StepState | None, Steps)


def test_a_network_is_prepared_once() -> None:
    compute = Compute(torch.device("cpu"), torch.bfloat16)
    params = DeepDreamParams(image="i", network="vgg19-random").resolve(SHIPPED)
    network = network_for(params, compute, NetworkLoader())
    assert network is not None and network.dtype == torch.bfloat16
    assert network_for(params, compute, NetworkLoader()) is network


class PreciseParams(DeepDreamParams):
    def network_need(self) -> NetworkNeed:
        return NetworkNeed(self.network, float32=True)


def test_a_kind_may_need_float32() -> None:
    worker = Compute(torch.device("cpu"), torch.bfloat16)
    params = PreciseParams(image="i", network="vgg19-random")
    compute = compute_for(params, worker)
    assert compute == Compute(torch.device("cpu"), torch.float32)
    network = network_for(params, worker, NetworkLoader())
    assert network is not None and network.dtype == torch.float32
    assert network_for(params, compute, NetworkLoader()) is network
    assert compute_for(DeepDreamParams(image="i"), worker) is worker
