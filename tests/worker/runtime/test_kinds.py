"""The registry of what computes each kind."""

import torch

from app.kinds import KINDS, DeepDreamParams
from worker.contract.compute import Compute
from worker.networks.loading import network_for
from worker.runtime.functions import FUNCTIONS


def test_every_kind_can_be_computed() -> None:
    assert set(FUNCTIONS) == set(KINDS)


def test_a_network_is_prepared_once() -> None:
    compute = Compute(torch.device("cpu"), torch.bfloat16)
    params = DeepDreamParams(image="i", network="vgg19-random").resolve()
    network = network_for(params, compute)
    assert network is not None and network.dtype == torch.bfloat16
    assert network_for(params, compute) is network
