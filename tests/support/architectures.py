"""Small networks of many architectures, as a training makes them: cards and weights."""

from functools import cache

import torch
from torch import nn

from app.kinds.architectures import resolve_architecture
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue
from models.architectures import build_stack
from models.architectures.ensemble import ensemble_params, ensemble_weights
from models.cards import describe
from models.network import Network
from models.registry import Entry
from models.trainable import initialize, new_trainable, plain_weights

CLASSES = ("ant", "bee", "cat", "cow")
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

# Name of the network, its architecture, the params of that, the side of what it classifies, and whether it
# was trained with norms.
SMALL: dict[str, tuple[str, dict[str, bool | int | float | str], int, bool]] = {
    "linear": ("linear", {}, 8, False),
    "mlp": ("mlp", {"depth": 2, "width": 12, "dropout": 0.5}, 8, False),
    "mlp-tanh": ("mlp", {"width": 12, "activation": "tanh"}, 8, False),
    "lenet_1998": ("lenet_1998", {}, 32, False),
    "alexnet_2012": ("alexnet_2012", {"width": 1 / 16}, 67, False),
    "resnet20": ("resnet20", {"width": 1 / 4}, 16, True),
    "plain20": ("plain20", {"width": 1 / 4}, 16, True),
    "cnn-max": ("cnn", {"width": 6, "units": 12}, 16, False),
    "cnn-average": ("cnn", {"width": 6, "k": 0, "pooling": "average", "activation": "sigmoid"}, 16, True),
    "cnn-l2": ("cnn", {"width": 6, "units": 12, "pooling": "l2", "activation": "maxout"}, 16, False),
    "cnn-sum": ("cnn", {"width": 6, "units": 12, "pooling": "sum", "activation": "leaky_relu"}, 16, True),
    "cnn-none": ("cnn", {"width": 6, "units": 12, "pooling": "none", "activation": "elu"}, 16, False),
}
ENSEMBLE = "ensemble"
NAMES = (*SMALL, ENSEMBLE)


@cache
def small_network(name: str) -> tuple[Network, NetworkCard]:
    """A network of ``NAMES`` with random weights that take pictures for different classes, and its card."""
    if name == ENSEMBLE:
        architecture, params, size, norms = SMALL["cnn-max"]
        members = [_weights(architecture, params, size, norms, seed) for seed in (1, 2)]
        found = resolve_architecture(architecture, params, size, len(CLASSES))
        builder, arguments = "ensemble", ensemble_params(found.builder, found.params, len(members))
        weights = ensemble_weights(members)
    else:
        architecture, params, size, norms = SMALL[name]
        found = resolve_architecture(architecture, params, size, len(CLASSES))
        builder, arguments = found.builder, found.params  # type: ignore[assignment]
        weights = _weights(architecture, params, size, norms, 3)
    network = Network(
        name,
        build_stack(builder, arguments),
        mean=MEAN,
        std=STD,
        source="a test",
        classes=CLASSES,
        input_size=size,
    ).with_weights(weights)
    entry = Entry(name, "A network of a test.", builder, arguments, lambda folder: network, has_norms=norms)
    return network, NetworkCard.model_validate(describe(network, entry))


class SmallCatalogue(Catalogue):
    """The networks of ``NAMES``, and those that are shipped."""

    def find(self, name: str, sha256: str | None = None) -> NetworkCard | None:
        """The card of one."""
        return small_network(name)[1] if name in NAMES else super().find(name, sha256)


def _weights(
    architecture: str, params: dict[str, bool | int | float | str], size: int, norms: bool, seed: int
) -> dict[str, torch.Tensor]:
    found = resolve_architecture(architecture, params, size, len(CLASSES))
    model = new_trainable(found.builder, found.params, mean=MEAN, std=STD, batch_norm=norms)
    initialize(model, seed)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(last.weight, std=last.in_features**-0.5, generator=generator)
    # The norms see something.
    with torch.no_grad():
        model(torch.rand(16, 3, size, size, generator=generator))
    return plain_weights(model)
