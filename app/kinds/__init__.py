"""The kinds of job. The union of their params classes is the API."""

from app.kinds.adversarial import AdversarialParams
from app.kinds.base import Lane, Params
from app.kinds.class_visualization import ClassVisualizationParams
from app.kinds.deep_dream import DeepDreamParams
from app.kinds.feature_inversion import FeatureInversionParams
from app.kinds.feature_visualization import FeatureVisualizationParams
from app.kinds.pull_weights import PullWeightsParams
from app.kinds.style_transfer import StyleTransferParams
from app.kinds.texture_synthesis import TextureSynthesisParams

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
