"""Makes the first job as fast as the second: imports, threads, kernels and the default network."""

import torch

from app.networks.catalogue import DEFAULT_NETWORK
from worker.contract.compute import Compute
from worker.networks.loading import prepared_network

SIDE = 64


def warm_up(compute: Compute) -> None:
    """Load the default network and run it once, forward and backward, on a small grey picture."""
    network = prepared_network(DEFAULT_NETWORK, "average", compute)
    picture = torch.full((1, 3, SIDE, SIDE), 0.5, device=compute.device, requires_grad=True)
    features = network.features(picture, ["relu4_1"])["relu4_1"]
    features.float().sum().backward()  # type: ignore[no-untyped-call]
