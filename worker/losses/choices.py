"""The losses that a job may choose among: a line each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.kinds.style_presets import ContentLossName, StyleLossName
from worker.losses.base import Loss
from worker.losses.content import content_losses
from worker.losses.covariance import covariance_losses
from worker.losses.gram import gram_losses
from worker.losses.histogram import histogram_losses
from worker.losses.laplacian import laplacian_losses
from worker.losses.mean_std import mean_std_losses
from worker.losses.nearest_neighbors import nearest_neighbors_losses
from worker.losses.relaxed_emd import relaxed_emd_losses
from worker.losses.self_similarity import self_similarity_losses
from worker.losses.sliced_wasserstein import sliced_wasserstein_losses
from worker.losses.sources import Content, Styles
from worker.losses.wasserstein import wasserstein_losses


@dataclass(frozen=True)
class StyleChoice:
    """What makes the losses of style, a list with one for each layer.

    ``factor`` multiplies their weights in the variant ``relative``, so that one style weight is about as
    strong with any of them: docs/style-transfer.md.
    """

    losses: Callable[[Styles], list[Loss]]
    factor: float


STYLE_LOSSES: Mapping[StyleLossName, StyleChoice] = {
    "gram": StyleChoice(gram_losses, 1.0),
    "mean_std": StyleChoice(mean_std_losses, 6.0),
    "covariance": StyleChoice(covariance_losses, 0.4),
    "wasserstein": StyleChoice(wasserstein_losses, 0.25),
    "sliced_wasserstein": StyleChoice(sliced_wasserstein_losses, 10.0),
    "histogram": StyleChoice(histogram_losses, 5.0),
    "nearest_neighbors": StyleChoice(nearest_neighbors_losses, 1.0),
    "relaxed_emd": StyleChoice(relaxed_emd_losses, 0.4),
}

CONTENT_LOSSES: Mapping[ContentLossName, Callable[[Content], list[Loss]]] = {
    "features": content_losses,
    "self_similarity": self_similarity_losses,
    "laplacian": laplacian_losses,
}
