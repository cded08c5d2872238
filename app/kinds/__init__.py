"""The kinds of job. The union of their params classes is the API."""

from importlib import import_module

from app.kinds.base import Params
from app.kinds.spec import KindSpec, Lane

# Modules of this package, each with a SPEC, in the order that people are shown.
_MODULES = (
    "style_transfer",
    "deep_dream",
    "class_visualization",
    "feature_visualization",
    "feature_inversion",
    "texture_synthesis",
    "adversarial",
    "classify",
    "saliency",
    "occlusion",
    "class_map",
    "activations",
    "filters",
    "max_patches",
    "embedding",
    "evaluate",
    "architecture",
    "gradient_check",
    "train",
    "learning_rate_range",
    "export_network",
    "pull_weights",
    "import_members",
    "make_dataset",
)

_SPECS: list[KindSpec[Params]] = [import_module(f"{__name__}.{module}").SPEC for module in _MODULES]

KINDS: dict[str, KindSpec[Params]] = {spec.name: spec for spec in _SPECS}


def spec_of(params: Params) -> KindSpec[Params]:
    """The kind that params, resolved or not, belong to."""
    own = type(params)
    for cls in own.__mro__:
        for spec in KINDS.values():
            if spec.params is cls:
                return spec
    raise ValueError(f"{own.__name__} belongs to no kind")


def all_lanes() -> list[Lane]:
    """The lanes that the kinds of job use."""
    return sorted({lane for spec in KINDS.values() for lane in spec.lanes})


__all__ = ["KINDS", "KindSpec", "Lane", "Params", "all_lanes", "spec_of"]
