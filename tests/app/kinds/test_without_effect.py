"""Params that do nothing beside the others: refused when asked for, and dropped where they are stored."""

from typing import Any

import pytest

from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds import KINDS, Params
from app.kinds.activation_maximization import BLUR_EVERY
from app.kinds.deep_dream import DeepDreamParams
from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.kinds.train import ResolvedTraining
from app.kinds.training_runs import variants
from app.networks.catalogue import SHIPPED

NEEDED: dict[str, dict[str, Any]] = {
    "style_transfer": {"content": "c", "style": ["s", "t"]},
    "deep_dream": {"image": "i"},
    "class_visualization": {"target": 1},
    "classify": {"image": "i"},
    "saliency": {"image": "i"},
    "activations": {"image": "i"},
    "max_patches": {"dataset": "d"},
    "embedding": {"dataset": "d"},
    "evaluate": {"dataset": "d"},
    "train": {"dataset": "d", "architecture": "cnn"},
    "learning_rate_range": {"dataset": "d", "architecture": "cnn", "preset": "from-scratch"},
}
PIXELS = {"parametrization": "pixels"}
NO_STYLE = {"style_weight": 0}
NO_CONTENT = {"content_weight": 0}

# Of each kind: params that go together, and one more that does nothing beside them.
IDLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("style_transfer", NO_CONTENT, {"content_loss": "features"}),
    ("style_transfer", NO_CONTENT, {"content_layers": ["relu2_1"]}),
    ("style_transfer", NO_CONTENT, {"content_weight_map": "m"}),
    ("style_transfer", {"content_layers": {"relu2_1": 0}}, {"content_weight_map": "m"}),
    ("style_transfer", NO_STYLE, {"style_loss": "gram"}),
    ("style_transfer", NO_STYLE, {"style_layers": ["relu2_1"]}),
    ("style_transfer", NO_STYLE, {"style_scale": 2}),
    ("style_transfer", NO_STYLE, {"style_scales": [1, 2]}),
    ("style_transfer", NO_STYLE, {"style_size": 300}),
    ("style_transfer", NO_STYLE, {"style_masks": ["m", "n"]}),
    ("style_transfer", NO_STYLE, {"fine_style": "f"}),
    ("style_transfer", {"style_layers": {"relu2_1": 0}}, {"style_loss": "gram"}),
    ("style_transfer", {**NO_STYLE, "color": "content"}, {"style_weights": [1, 2]}),
    ("style_transfer", {"continue_from": "p"}, {"init": "noise"}),
    ("deep_dream", {"octaves": 1}, {"octave_scale": 2}),
    ("class_visualization", PIXELS, {"blur_every": BLUR_EVERY}),
    ("class_visualization", {"preset": "yosinski-2015", "blur": 0}, {"blur_every": 2}),
    ("class_visualization", {"optimizer": "lbfgs", "transforms": {}}, {"step_size": 1}),
    ("feature_visualization", {}, {"blur_every": 2}),
    ("classify", {}, {"ensemble": "compare"}),
    ("classify", {"networks": ["palette"]}, {"ensemble": "compare"}),
    ("classify", {"networks": ["palette"]}, {"network": "vgg19"}),
    ("evaluate", {"networks": ["palette"]}, {"network": "vgg19"}),
    ("architecture", {"layers": "FC-10"}, {"network": "vgg19"}),
    ("saliency", {}, {"samples": 5}),
    ("saliency", {"methods": ["integrated_gradients"]}, {"noise": 0.3}),
    ("saliency", {"methods": ["smooth_grad"]}, {"nodes": 5}),
    ("saliency", {}, {"baseline": "white"}),
    ("activations", {"channels": [1, 2]}, {"limit": 3}),
    ("filters", {"channels": [1, 2]}, {"limit": 3}),
    ("filters", {"layer": "head_conv", "channels": [1], "inputs": [1]}, {"limit": 3}),
    ("max_patches", {"channels": [1, 2]}, {"limit": 3}),
    ("embedding", {"method": "pca"}, {"perplexity": 5}),
    ("gradient_check", {}, {"margin": 2}),
    ("gradient_check", {"architecture": "mlp"}, {"batch_norm": True}),
    ("train", {}, {"margin": 2}),
    ("train", {}, {"embedding": 8}),
    ("train", {"optimizer": "adamw"}, {"momentum": 0.9}),
    ("train", {}, {"initial_std": 0.1}),
    ("train", {}, {"step_epochs": 2}),
    ("train", {}, {"rate_factor": 0.5}),
    ("train", {"schedule": "step"}, {"plateau_patience": 2}),
    ("train", {}, {"min_delta": 0.1}),
    ("train", {"architecture": "mlp"}, {"batch_norm": True}),
    ("train", {"architecture": None, "base": "palette"}, {"embedding": 8}),
    ("train", {"architecture": None, "base": "palette", "transfer": "svm"}, {"margin": 2}),
    ("learning_rate_range", {"optimizer": "adam"}, {"momentum": 0.5}),
]


def asked(kind: str, *given: dict[str, Any]) -> dict[str, Any]:
    return {**NEEDED.get(kind, {}), **{name: value for each in given for name, value in each.items()}}


def resolved(kind: str, *given: dict[str, Any]) -> Params:
    return parse_params(kind, asked(kind, *given), SHIPPED)


@pytest.mark.parametrize(("kind", "beside", "idle"), IDLE)
def test_what_does_nothing_is_refused(kind: str, beside: dict[str, Any], idle: dict[str, Any]) -> None:
    (name,) = idle
    with pytest.raises(ParamsError) as caught:
        resolved(kind, beside, idle)
    (error,) = caught.value.errors
    assert error.field == name
    assert "leave" in error.detail.casefold() and error.detail.endswith(".")


@pytest.mark.parametrize(("kind", "beside", "idle"), IDLE)
def test_what_presets_and_defaults_say_is_not(
    kind: str, beside: dict[str, Any], idle: dict[str, Any]
) -> None:
    made = resolved(kind, beside)
    stored = made.model_dump(mode="json")

    assert parse_params(kind, stored, SHIPPED) == made
    assert KINDS[kind].params.present_values(stored, {}) == type(made).present_values(stored, {}) == stored
    assert KINDS[kind].load(stored) == made


OF_MODULE = [each for each in IDLE if each[2].keys().isdisjoint({"network"})]


@pytest.mark.parametrize(("kind", "beside", "idle"), OF_MODULE)
def test_what_was_stored_before_can_be_asked_for_again(
    kind: str, beside: dict[str, Any], idle: dict[str, Any]
) -> None:
    made = resolved(kind, beside)
    before = {**made.model_dump(mode="json"), **idle}

    assert KINDS[kind].load(before)
    assert parse_params(kind, KINDS[kind].params.present_values(before, {}), SHIPPED) == made


def test_a_part_of_a_recipe_says_nothing_of_the_rest() -> None:
    for kind, _, idle in OF_MODULE:
        if idle.keys().isdisjoint({"style_layers"}):
            assert KINDS[kind].params.present_values(idle, {}) == idle


def test_weights_of_styles_count_for_colors() -> None:
    def weighed(**given: Any) -> Params:
        return resolved("style_transfer", {"style_weights": [1, 2], "style_weight": 0}, given)

    assert weighed() and weighed(preset="neural-style", color_match="pca")
    with pytest.raises(ParamsError, match="style_weights"):
        weighed(preset="neural-style")
    with pytest.raises(ParamsError, match="style_weights"):
        weighed(color_match="pca", fine_style="f")


def test_what_is_continued_takes_no_params_that_are_of_no_use_now() -> None:
    earlier = resolved(
        "style_transfer",
        {"content_loss": "laplacian", "content_layers": ["relu2_1"], "content_weight_map": "m"},
        {"style_scales": [1, 2], "init": "noise"},
    ).model_dump(mode="json")
    goes_on = {"continue_from": "p"}

    def made(**given: Any) -> StyleTransferParams:
        found = StyleTransferParams.continuing(earlier, given)
        params = parse_params("style_transfer", {**found, **goes_on}, SHIPPED)
        assert isinstance(params, ResolvedStyleTransfer)
        return params

    assert made(content_weight=0).content_weight_map is None
    assert made(content_weight=0).content_loss is None
    assert made(content_weight=0).style_scales == [1, 2]
    assert made(style_weight=0).style_scales is None
    assert made(style_weight=0).content_loss == "laplacian"
    assert made().init is None
    with pytest.raises(ParamsError, match="content_loss"):
        made(content_weight=0, content_loss="features")
    # And back: what the preset says.
    without = made(content_weight=0).model_dump(mode="json")
    again = parse_params(
        "style_transfer", StyleTransferParams.continuing(without, {"content_weight": 1}) | goes_on, SHIPPED
    )
    assert isinstance(again, ResolvedStyleTransfer)
    assert (again.content_loss, again.content_layers) == ("features", {"relu2_1": 0.5, "relu3_1": 1.0})


def test_what_one_training_of_a_search_has_a_use_for_is_kept() -> None:
    search = {"objective": ["softmax", "hinge"], "optimizer": ["sgd", "adam"], "schedule": ["step"]}
    params = resolved("train", {"label_smoothing": 0, "search": search, "margin": 2, "step_epochs": 3})
    assert isinstance(params, ResolvedTraining)

    runs = [run.params for run in variants(params)]
    assert [(each.objective, each.margin) for each in runs] == [("softmax", 1)] * 2 + [("hinge", 2)] * 2
    assert [getattr(each, "momentum") for each in runs] == [0.9, None] * 2  # noqa: B009
    assert {each.step_epochs for each in runs} == {3}


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"margin": [1, 2]}, "margin: objective is softmax"),
        ({"margin": [1, 2], "objective": ["softmax", "logistic"]}, "margin: objective is softmax"),
        ({"momentum": [0.5, 0.9], "optimizer": ["adam"]}, "momentum: optimizer is"),
        ({"objective": [["softmax"]]}, "objective"),
    ],
)
def test_a_search_of_what_does_nothing_is_refused(search: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError) as caught:
        resolved("train", {"search": search, "label_smoothing": 0})
    (error,) = caught.value.errors
    assert error.field == "search" and said in error.detail


def test_a_check_of_gradients_has_no_dropout() -> None:
    given = {"architecture": "mlp", "architecture_params": {"dropout": 0.5, "width": 9}}
    with pytest.raises(ParamsError, match=r"architecture_params\.dropout"):
        resolved("gradient_check", given)
    kept = KINDS["gradient_check"].params.present_values(given, {})
    assert kept["architecture_params"] == {"width": 9}
    assert resolved("gradient_check", {**given, "architecture_params": {"dropout": 0}})


@pytest.mark.parametrize(
    ("given", "is_clip", "fields"),
    [
        (
            {"zoom": 1.2, "rotation": 5, "blend": 0.5, "fps": 9, "format": "webp"},
            False,
            "zoom rotation blend fps format",
        ),
        ({"zoom": 1.2, "rotation": 5, "blend": 0.5, "fps": 9, "frames": 2}, False, "blend"),
        ({"zoom": 1.2, "rotation": 5, "blend": 0.5, "fps": 9, "format": "webp"}, True, "zoom rotation"),
        ({}, False, ""),
        ({}, True, ""),
    ],
)
def test_what_is_for_videos_of_another_kind(given: dict[str, Any], is_clip: bool, fields: str) -> None:
    params = DeepDreamParams(image="i", **given)

    assert [each.field for each in params.problems_of_clips({"image": is_clip})] == fields.split()
    assert params.problems_of_clips({}) == []
    again = resolved("deep_dream", params.model_dump(mode="json"))
    assert [each.field for each in again.problems_of_clips({"image": is_clip})] == fields.split()
