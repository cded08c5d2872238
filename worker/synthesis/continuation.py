"""What a style transfer that continues another one goes on from, and what a later one can go on from."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from app.errors import InputError
from app.kinds.style_transfer import ResolvedStyleTransfer
from models.network import Network
from worker.contract.inputs import Inputs
from worker.contract.steps import StepState
from worker.optim.descent import Descent
from worker.synthesis.needed_size import Size

# The param that names what to go on from.
PARAM = "continue_from"
# Params that the loss and the optimizer do not depend on. Pictures and the network count by their content.
_WITHOUT_EFFECT = {"network", "init", "steps", "keep_state", "timelapse", "format", "bit_depth"}
_OBJECTIVE = "objective"


@dataclass(frozen=True)
class Continuation:
    """Where a run begins that goes on from an earlier one.

    ``picture`` is (1, 3, H, W) in [0, 1], as it is optimized; ``state`` that of the earlier descent, None if
    that minimized another loss, or otherwise, or was not kept.
    """

    picture: Tensor
    state: StepState | None

    def require_size(self, size: Size) -> None:
        """Check that the picture has the height and width of the result; InputError."""
        height, width = self.picture.shape[-2:]
        if (height, width) != size:
            raise InputError(
                PARAM,
                f"The picture to continue is {width}×{height} px, and the result has {size[1]}×{size[0]} px. "
                f"Take size {max(height, width)} and a content of that shape; for another size, name the "
                "picture as init_image instead.",
            )


def continuation(
    params: ResolvedStyleTransfer, inputs: Inputs, network: Network, picture: Tensor | None
) -> Continuation | None:
    """What a job goes on from, if it does: a kept state, or else a ``picture``, as it is to be painted."""
    kept = inputs.state(PARAM)
    if kept is not None:
        same = _as_today(kept.values.get(_OBJECTIVE)) == _objective(params, inputs, network)
        return Continuation(kept.tensors["best"], kept if same else None)
    return None if picture is None else Continuation(picture, None)


def kept_state(
    descent: Descent, params: ResolvedStyleTransfer, inputs: Inputs, network: Network
) -> StepState:
    """The state of a finished descent, with what a later one must minimize to go on from it."""
    state = descent.state()
    return StepState(state.tensors, {**state.values, _OBJECTIVE: _objective(params, inputs, network)})


def _as_today(objective: Any) -> Any:
    """A stored objective; one of before there were views is that of the picture alone."""
    if not isinstance(objective, dict) or not isinstance(objective.get("params"), dict):
        return objective
    params = ResolvedStyleTransfer.present_values({"views": ["picture"], **objective["params"]}, {})
    return {**objective, "params": params}


def _objective(params: ResolvedStyleTransfer, inputs: Inputs, network: Network) -> dict[str, object]:
    """All that the loss, and how it is minimized, depend on, as JSON."""
    values = params.model_dump(mode="json", exclude=_WITHOUT_EFFECT | {*params.picture_fields()})
    used = [name for name in inputs.hashes if name not in (PARAM, "init_image")]
    hashes = {name: inputs.hashes[name] for name in used}
    return {"params": values, "inputs": hashes, "network": network.sha256}
