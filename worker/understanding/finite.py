"""What networks compute of pictures has to be finite: weights that are can still overflow."""

from torch import Tensor

from app.errors import ComputationError
from models.network import Network


def require_finite(network: Network, values: Tensor) -> None:
    """Check scores or activations of a network; waits for the device once. Raises ComputationError.

    Sorted, averaged or drawn, what is not finite would look like any other result.
    """
    if not bool(values.isfinite().all()):
        raise ComputationError(
            f"What {network.name} computes of a picture is not finite: its weights, or the mean and "
            "deviation on its card, may be damaged."
        )
