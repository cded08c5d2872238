"""The kinds of job. The union of their params classes is the API."""

from app.jobs.kinds.adversarial import AdversarialParams
from app.jobs.kinds.base import Lane, Params
from app.jobs.kinds.class_visualization import ClassVisualizationParams
from app.jobs.kinds.deep_dream import DeepDreamParams
from app.jobs.kinds.feature_inversion import FeatureInversionParams
from app.jobs.kinds.feature_visualization import FeatureVisualizationParams
from app.jobs.kinds.pull_weights import PullWeightsParams
from app.jobs.kinds.style_transfer import StyleTransferParams
from app.jobs.kinds.texture_synthesis import TextureSynthesisParams

KINDS: dict[str, type[Params]] = {
    cls.kind: cls
    for cls in (
        StyleTransferParams,
        DeepDreamParams,
        ClassVisualizationParams,
        FeatureVisualizationParams,
        FeatureInversionParams,
        TextureSynthesisParams,
        AdversarialParams,
        PullWeightsParams,
    )
}

__all__ = [
    "KINDS",
    "AdversarialParams",
    "ClassVisualizationParams",
    "DeepDreamParams",
    "FeatureInversionParams",
    "FeatureVisualizationParams",
    "Lane",
    "Params",
    "PullWeightsParams",
    "StyleTransferParams",
    "TextureSynthesisParams",
]
