"""The function that computes each kind."""

from typing import Any, Protocol

from app.kinds import Params
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import State, Steps
from worker.networks.pull_weights import pull_weights
from worker.synthesis.adversarial import adversarial
from worker.synthesis.class_visualization import class_visualization
from worker.synthesis.deep_dream import deep_dream
from worker.synthesis.feature_inversion import feature_inversion
from worker.synthesis.feature_visualization import feature_visualization
from worker.synthesis.style_transfer import style_transfer
from worker.synthesis.texture_synthesis import texture_synthesis
from worker.synthesis.variations import varied


class KindFunction(Protocol):
    """Computes a kind. ``params`` are resolved, ``network`` is what they need, ``resume`` a step's state."""

    def __call__(
        self, params: Any, inputs: Inputs, network: Any, compute: Compute, resume: State | None = None
    ) -> Steps:
        """The steps of a job."""


FUNCTIONS: dict[str, KindFunction] = {
    "style_transfer": style_transfer,
    "deep_dream": varied(
        deep_dream,
        shared=("width", "height", "octaves", "octaves_left_out", "without_answer", "channels"),
    ),
    "class_visualization": class_visualization,
    "feature_visualization": feature_visualization,
    "feature_inversion": feature_inversion,
    "texture_synthesis": varied(texture_synthesis, shared=("width", "height", "texture", "dtype")),
    "adversarial": varied(adversarial),
    "pull_weights": pull_weights,
}


def steps_of(
    params: Params, inputs: Inputs, network: Network | None, compute: Compute, resume: State | None = None
) -> Steps:
    """The steps of a job of resolved params, from the start or from a state."""
    return FUNCTIONS[params.kind](params, inputs, network, compute, resume)
