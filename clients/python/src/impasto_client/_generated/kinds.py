"""The kinds of job.

Derived from the API's description by clients/python/generate.py; edit that, not this.
"""

from typing import Literal, TypeAlias

from impasto_client._core.kind import KindInfo

KindName: TypeAlias = Literal[
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
]

KINDS: dict[str, KindInfo] = {
    "style_transfer": KindInfo(
        "/v1/style-transfer",
        {
            "content": False,
            "style": True,
            "style_masks": True,
            "content_mask": False,
            "content_weight_map": False,
            "fine_style": False,
            "init_image": False,
            "continue_from": False,
        },
        (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"),
        ("continue_from",),
        (
            "style_masks",
            "content_mask",
            "content_weight_map",
            "fine_style",
            "init_image",
        ),
    ),
    "deep_dream": KindInfo("/v1/deep-dream", {"image": False, "guide": False}, (".png", ".mp4", ".webp")),
    "class_visualization": KindInfo(
        "/v1/class-visualization", {}, (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
    ),
    "feature_visualization": KindInfo(
        "/v1/feature-visualization", {"image": False}, (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
    ),
    "feature_inversion": KindInfo(
        "/v1/feature-inversion", {"image": False}, (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
    ),
    "texture_synthesis": KindInfo(
        "/v1/texture-synthesis", {"image": False}, (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
    ),
    "adversarial": KindInfo("/v1/adversarial", {"image": False}, (".png",)),
    "classify": KindInfo("/v1/classify", {"image": False, "images": True}, (".png", ".jsonl")),
    "saliency": KindInfo("/v1/saliency", {"image": False}, (".png",)),
    "occlusion": KindInfo("/v1/occlusion", {"image": False}, (".png",)),
    "class_map": KindInfo("/v1/class-map", {"image": False}, (".png",)),
    "activations": KindInfo("/v1/activations", {"image": False}, (".png",)),
    "filters": KindInfo("/v1/filters", {}, (".png",)),
    "max_patches": KindInfo("/v1/max-patches", {}, (".png",)),
    "embedding": KindInfo("/v1/embedding", {"image": False}, (".png", ".json")),
    "evaluate": KindInfo("/v1/evaluate", {}, (".png", ".csv", ".jsonl")),
    "architecture": KindInfo("/v1/architecture", {}, (".png", ".csv", ".md")),
    "gradient_check": KindInfo("/v1/gradient-check", {}, (".png", ".csv")),
    "train": KindInfo("/v1/train", {}, (".png",)),
    "learning_rate_range": KindInfo("/v1/learning-rate-range", {}, (".png", ".csv")),
    "export_network": KindInfo("/v1/export-network", {}, (".onnx",)),
    "pull_weights": KindInfo("/v1/pull-weights", {}, ()),
    "import_members": KindInfo("/v1/import-members", {}, ()),
    "make_dataset": KindInfo("/v1/make-dataset", {}, ()),
}
