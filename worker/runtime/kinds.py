"""How every kind of job is computed: its function, and the network that it looks with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.errors import InputError
from app.kinds import Params
from app.networks import get_card
from app.networks.weights_folder import how_to_get
from models.imagenet import WeightsMissing
from models.network import Network, Pooling
from models.network_files import DamagedWeights
from models.registry import load_network, weights_version
from worker.contract.steps import Compute, State, Steps
from worker.networks.pull_weights import pull_weights
from worker.synthesis.adversarial import adversarial
from worker.synthesis.class_visualization import class_visualization
from worker.synthesis.deep_dream import deep_dream
from worker.synthesis.feature_inversion import feature_inversion
from worker.synthesis.feature_visualization import feature_visualization
from worker.synthesis.style_transfer import style_transfer
from worker.synthesis.texture_synthesis import texture_synthesis
from worker.synthesis.variations import varied

# (resolved params, pictures by param, network, compute, state to go on from) -> steps. Of its own params
# class, and of tensors; of a tensor or a clip for a param that takes both.
KindFunction = Callable[[Any, Mapping[str, Sequence[Any]], Any, Compute, State | None], Steps]

# Networks kept on the device at a time; the full VGG-19 takes 80 MB without its classifier.
WARM_NETWORKS = 4


def warm_network(
    name: str, pooling: Pooling | None, compute: Compute, *, convolutions_only: bool = False
) -> Network:
    """A network ready for a device and dtype, kept for the next job. Raises InputError on ``network``."""
    folder = None if compute.weights is None else compute.weights.path
    try:
        version = weights_version(name, folder)
        # What is shipped is always loaded whole: one copy for all who ask.
        return _prepared(name, pooling, compute, convolutions_only and version != (), version)
    except WeightsMissing:
        raise InputError("network", how_to_get(name)) from None
    except DamagedWeights as error:
        raise InputError("network", f"{error}. {how_to_get(name)}") from error


@lru_cache(maxsize=WARM_NETWORKS)
def _prepared(
    name: str, pooling: Pooling | None, compute: Compute, convolutions_only: bool, version: tuple[int, ...]
) -> Network:
    del version  # weights that were replaced are prepared again
    folder = None if compute.weights is None else compute.weights.path
    network = load_network(name, pooling, folder=folder, convolutions_only=convolutions_only)
    return network.prepared(compute.device, compute.dtype)


def as_trained(params: Any, compute: Compute) -> Network:
    """The network that the params name, with its own pooling."""
    return warm_network(params.network, None, compute)


def convolutions(params: Any, compute: Compute) -> Network:
    """The network that the params name, with the pooling that they may name, as far as it sees places."""
    return warm_network(params.network, getattr(params, "pooling", None), compute, convolutions_only=True)


def as_deep_as_asked(params: Any, compute: Compute) -> Network:
    """The network that the params name, without its fully connected layers if none of them is looked at."""
    card = get_card(params.network)
    deep = any(card.layer(name).receptive_field == 0 for name in params.looked_at)
    return as_trained(params, compute) if deep else convolutions(params, compute)


def if_deceived(params: Any, compute: Compute) -> Network | None:
    """The network that the params name, unless it is a linear classifier of its own that is deceived."""
    return None if params.method == "linear" else as_trained(params, compute)


@dataclass(frozen=True)
class Work:
    """What computes a kind: its function, and how it comes by its network (None: it needs none)."""

    function: KindFunction
    network: Callable[[Any, Compute], Network | None] | None = as_trained


# By kind. A new kind is a params class in app/jobs/kinds, a function, and a line here.
WORK: dict[str, Work] = {
    "style_transfer": Work(style_transfer, convolutions),
    "deep_dream": Work(
        varied(
            deep_dream,
            shared=("width", "height", "octaves", "octaves_left_out", "without_answer", "channels"),
        ),
        convolutions,
    ),
    "class_visualization": Work(class_visualization),
    "feature_visualization": Work(feature_visualization, as_deep_as_asked),
    "feature_inversion": Work(feature_inversion, as_deep_as_asked),
    "texture_synthesis": Work(
        varied(texture_synthesis, shared=("width", "height", "texture", "dtype")), convolutions
    ),
    "adversarial": Work(varied(adversarial), if_deceived),
    "pull_weights": Work(pull_weights, network=None),
}


def network_for(params: Params, compute: Compute) -> Network | None:
    """The network that a job asks for, ready for the device; None if its kind needs none."""
    load = WORK[params.kind].network
    if load is None:
        return None
    network = load(params, compute)
    if network is not None:
        _require_layers(params, network)
    return network


def _require_layers(params: Any, network: Network) -> None:
    """Check that the layers asked for are there: weights that were imported may lack the deepest."""
    for field in ("layers", "layer", "content_layers", "style_layers"):
        asked = getattr(params, field, None) or ()
        for name in [asked] if isinstance(asked, str) else asked:
            if name not in network.stack:
                raise InputError(
                    field,
                    f"{network.name} has no layer {name!r} here: its weights were imported from a file that "
                    f"ends before. Layers: {', '.join(network.stack)}.",
                )


def steps_of(
    params: Params,
    pictures: Mapping[str, Sequence[Any]],
    network: Network | None,
    compute: Compute,
    resume: State | None = None,
) -> Steps:
    """The steps of a job of resolved params, from the start or from a state."""
    return WORK[params.kind].function(params, pictures, network, compute, resume)
