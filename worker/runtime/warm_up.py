"""Makes the first job as fast as the second: imports, threads, kernels and the network of most jobs."""

import logging
from dataclasses import replace

import torch

from app.errors import InputError
from app.networks.catalogue import DEFAULT_CLASSIFIER, DEFAULT_NETWORK
from worker.contract.compute import Compute
from worker.networks.loading import NetworkLoader

log = logging.getLogger(__name__)

SIDE = 64


def warm_up(networks: NetworkLoader, compute: Compute, lane: str = "long") -> None:
    """Load the network that most jobs of a lane use, and run it once on a small grey picture.

    ``networks`` is the loader of the jobs: another one would load it again. Nothing is done for trainings:
    they take longer than that, and most of the time there is none.
    """
    if lane == "short":
        _warm_up_classifier(networks, compute)
    elif lane != "training":
        _warm_up_synthesis(networks, compute)


def _warm_up_synthesis(networks: NetworkLoader, compute: Compute) -> None:
    network = networks.prepared(DEFAULT_NETWORK, "average", compute)
    picture = torch.full((1, 3, SIDE, SIDE), 0.5, device=compute.device, requires_grad=True)
    features = network.features(picture, ["relu4_1"])["relu4_1"]
    features.float().sum().backward()  # type: ignore[no-untyped-call]


def _warm_up_classifier(networks: NetworkLoader, compute: Compute) -> None:
    # What explains a network asks for float32, and classification is compared with it.
    compute = replace(compute, dtype=torch.float32)
    try:
        network = networks.prepared(DEFAULT_CLASSIFIER, None, compute)
    except InputError as error:
        # Each job that needs it says so; others run.
        log.warning("jobs begin without their usual network: %s", error.detail)
        return
    side = network.input_size or SIDE
    layer = list(network.stack)[-1]
    with torch.no_grad():
        network.features(torch.full((1, 3, side, side), 0.5, device=compute.device), [layer])
