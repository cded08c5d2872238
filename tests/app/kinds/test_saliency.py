from typing import Any

import pytest

from app.errors import InputError
from app.kinds.class_map import SPEC as CLASS_MAP
from app.kinds.class_map import ClassMapParams
from app.kinds.saliency import SPEC, ResolvedSaliency, SaliencyParams, last_maps
from app.networks.catalogue import DEFAULT_CLASSIFIER, SHIPPED


def make(**values: Any) -> ResolvedSaliency:
    return SaliencyParams.model_validate({"image": "x", **values}).resolve(SHIPPED)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"network": "palette", "methods": "deconvnet"},
        {"layer": "block5", "methods": "gradient", "channel": 3, "position": [2, 1]},
        {"target": "teapot", "methods": ["score_cam"], "cam_layer": "block16"},
    ],
)
def test_what_is_resolved_resolves_to_itself(values: dict[str, Any]) -> None:
    params = make(**values)
    assert SaliencyParams.model_validate(params.model_dump(mode="json")).resolve(SHIPPED) == params


def test_defaults_come_from_the_network() -> None:
    params = make()
    assert (params.network, params.size, params.cam_layer) == (DEFAULT_CLASSIFIER, 224, "head")
    drawn = make(network="palette")
    assert (drawn.size, drawn.cam_layer) == (128, "relu5_4")
    assert make(methods="gradient").cam_layer is None
    assert make(methods="gradient, gradient,deconvnet").methods == ["gradient", "deconvnet"]
    assert make(network="vgg19-random", layer="conv2_1", methods="gradient").size == 128


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("palette", "relu5_4"),
        ("vgg16", "relu5_3"),
        ("squeezenet1_1", "relu10"),
        ("efficientnet_lite0", "head"),
    ],
)
def test_class_activation_maps_are_of_the_last_maps_before_their_pool(name: str, layer: str) -> None:
    card = SHIPPED.find(name)
    assert card is not None and last_maps(card) == layer


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("network", {"network": "nobody"}),
        ("network", {"network": "vgg19-random"}),
        ("target", {"target": "no such class"}),
        ("target", {"target": "teapot", "layer": "head", "methods": "gradient"}),
        ("channel", {"channel": 3}),
        ("position", {"position": [1, 2]}),
        ("position", {"layer": "logits", "position": [1, 2]}),
        ("layer", {"layer": "conv9_9"}),
        ("channel", {"layer": "head", "channel": 1280, "methods": "gradient"}),
        ("methods", {"layer": "head", "methods": "gradient,grad_cam"}),
        ("cam_layer", {"cam_layer": "head", "methods": "gradient"}),
        ("cam_layer", {"cam_layer": "logits"}),
        ("cam_layer", {"cam_layer": "conv9_9"}),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        make(**values)
    assert caught.value.field == field and caught.value.detail.endswith(".")


@pytest.mark.parametrize(
    ("values", "lane"),
    [
        ({}, "short"),
        ({"network": "palette"}, "short"),
        ({"methods": "integrated_gradients"}, "long"),
        ({"methods": "score_cam"}, "long"),
        ({"methods": "gradient", "size": 2048}, "long"),
        ({"methods": "smooth_grad", "samples": 5}, "short"),
        ({"methods": "smooth_grad", "samples": 100}, "long"),
        ({"methods": "gradient", "network": "vgg19"}, "long"),
    ],
)
def test_the_lane_follows_from_the_work(values: dict[str, Any], lane: str) -> None:
    params = make(**values)
    assert SPEC.lane_of(params, SHIPPED.find(params.network)) == lane
    assert SPEC.lane_of(params, None) == "long"


def test_a_class_map_has_the_size_of_a_few_windows() -> None:
    params = ClassMapParams(image="x").resolve(SHIPPED)
    assert (params.size, params.picture_side("image")) == (672, 672)
    assert ClassMapParams(image="x", network="palette").resolve(SHIPPED).size == 384
    assert ClassMapParams.model_validate(params.model_dump()).resolve(SHIPPED) == params
    assert CLASS_MAP.lane_of(params, SHIPPED.find(params.network)) == "short"
    large = ClassMapParams(image="x", size=4000).resolve(SHIPPED)
    assert CLASS_MAP.lane_of(large, SHIPPED.find(large.network)) == "long"
    with pytest.raises(InputError) as caught:
        ClassMapParams(image="x", network="vgg19-random").resolve(SHIPPED)
    assert caught.value.field == "network"
