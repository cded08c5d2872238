from typing import Any

import pytest

from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds import KINDS, Params
from app.kinds.activation_maximization import MAX_PIXELS, PRESETS, MaximizationPreset
from app.kinds.class_visualization import ClassVisualizationParams
from app.kinds.classes import class_index, require_classes
from app.kinds.feature_inversion import FeatureInversionParams
from app.kinds.feature_visualization import FeatureVisualizationParams
from app.kinds.layers import middle_layer
from app.networks import get_card
from app.networks.catalogue import SHIPPED

IMAGE = "0198c0de-0000-7000-8000-000000000000"
CARD = get_card("vgg19")


def classes(**params: Any) -> ClassVisualizationParams:
    made = parse_params("class_visualization", {"network": "vgg19", "target": 1, **params}, SHIPPED)
    assert isinstance(made, ClassVisualizationParams)
    return made


def features(**params: Any) -> FeatureVisualizationParams:
    made = parse_params("feature_visualization", {"network": "vgg19", **params}, SHIPPED)
    assert isinstance(made, FeatureVisualizationParams)
    return made


def inversion(**params: Any) -> FeatureInversionParams:
    made = parse_params("feature_inversion", {"network": "vgg19", "image": IMAGE, **params}, SHIPPED)
    assert isinstance(made, FeatureInversionParams)
    return made


def test_what_pictures_are_padded_by_takes_memory() -> None:
    padded, plain = (
        classes(size=64, transforms=transforms).resolve(SHIPPED).working_bytes(CARD)
        for transforms in ({"pad": 1024, "jitter": 4}, {"jitter": 4})
    )

    assert padded == pytest.approx((64 + 2 * 1024) ** 2 / 64**2 * plain)


def refusal(kind: str, **params: Any) -> tuple[str, str]:
    """Field and detail of the one error."""
    with pytest.raises(ParamsError) as caught:
        parse_params(kind, {"network": "vgg19", **params}, SHIPPED)
    (error,) = caught.value.errors
    return error.field, error.detail


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (1, ["goldfish"]),
        ("1", ["goldfish"]),
        ("goldfish", ["goldfish"]),
        (" Goldfish ", ["goldfish"]),
        (["tench", 1, "0", "goldfish"], ["tench", "goldfish"]),
    ],
)
def test_classes_by_name_and_by_index(given: Any, names: list[str]) -> None:
    assert classes(target=given).target == names


def test_classes_that_share_a_name_go_by_their_index() -> None:
    card = CARD.model_copy(update={"classes": ["crane", "tench", "crane", "7"]})

    assert require_classes(card, ["0", "2", "1", "7"], "target") == ["0", "2", "tench", "7"]
    assert [class_index(card.classes, name) for name in ("0", "2", "tench", "7")] == [0, 2, 1, 3]
    with pytest.raises(ValueError, match=r"several classes 'crane': give the index \(0, 2\)"):
        require_classes(card, ["crane"], "target")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("godfish", "vgg19 has no class 'godfish'. Did you mean 'goldfish'"),
        (1000, "vgg19 has no class 1000: its classes are 0 to 999."),
        ("qqqq", "Its 1000 classes begin with tench, goldfish"),
        (-1, "vgg19 has no class '-1'."),
    ],
)
def test_a_class_that_is_not_there(given: Any, said: str) -> None:
    field, detail = refusal("class_visualization", target=given)

    assert field == "target"
    assert said in detail


@pytest.mark.parametrize("given", [[], "", [""], None, 1.5, True, [["a"]], {"a": 1}])
def test_what_is_no_class_at_all(given: Any) -> None:
    assert refusal("class_visualization", target=given)[0].startswith("target")


def test_a_network_that_cannot_classify() -> None:
    field, detail = refusal("class_visualization", target=1, network="vgg19-random")

    assert field == "network"
    assert "cannot classify" in detail


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_in_all_that_it_knows(preset: str) -> None:
    made = classes(preset=preset)

    for name in MaximizationPreset.model_fields:
        if name != "summary":
            assert getattr(made, name) == getattr(PRESETS[preset], name), name
    assert made.size == 224
    assert features(network="vgg19-random").size == 128
    assert MaximizationPreset.model_fields.keys() - {"summary"} <= type(made).model_fields.keys()


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        *(("class_visualization", {"target": [1, 2], "preset": preset}) for preset in PRESETS),
        ("class_visualization", {"target": 3, "preset": "maco", "parametrization": "fourier"}),
        ("class_visualization", {"target": 3, "preset": "maco", "transforms": "none"}),
        ("class_visualization", {"target": 3, "parametrization": "phase"}),
        ("class_visualization", {"target": 3, "transforms": {"roll": 8}, "parametrization": "pixels"}),
        ("class_visualization", {"target": 3, "transforms": {}, "optimizer": "lbfgs", "l2_weight": 2}),
        ("feature_visualization", {}),
        ("feature_visualization", {"layer": "conv3_1", "channels": "0-4, 9", "sign": "both"}),
        (
            "feature_visualization",
            {"layer": "relu3_1", "objective": "layer", "variations": 4, "diversity": 1},
        ),
        ("feature_visualization", {"terms": {"conv3_1:5": 1, "logits:3": -0.5}}),
        ("feature_visualization", {"objective": "caricature", "image": IMAGE, "variations": 2}),
        (
            "feature_visualization",
            {"objective": "direction", "image": IMAGE, "sign": "both", "layer": "conv4_1"},
        ),
        ("feature_inversion", {"image": IMAGE}),
        ("feature_inversion", {"image": IMAGE, "layers": "relu3_1, relu1_1", "variations": 3}),
    ],
)
def test_what_a_job_stores_resolves_to_itself(kind: str, params: dict[str, Any]) -> None:
    first = parse_params(kind, {"network": "vgg19", **params}, SHIPPED)

    assert parse_params(kind, first.model_dump(mode="json"), SHIPPED) == first


@pytest.mark.parametrize(
    ("params", "field", "said"),
    [
        ({"preset": "yosinski-2015", "parametrization": "fourier"}, "decay", "set decay to 0"),
        ({"parametrization": "phase", "noise": 0.1}, "noise", "leave this out"),
        ({"preset": "simonyan-2014", "variations": 2}, "variations", "noise to 0.01"),
        ({"preset": "simonyan-2014", "looks": 2}, "looks", "set it to 1"),
        ({"optimizer": "lbfgs"}, "optimizer", "set transforms to none"),
        ({"optimizer": "lbfgs", "transforms": {}, "step_size": 0.1}, "step_size", "leave this out"),
        ({"transforms": {"rotate": 181}}, "transforms", "180 degrees at most"),
        ({"transforms": {"crop": 0}}, "transforms", "above 0"),
        ({"transforms": {"jiter": 3}}, "transforms.jiter", "'jitter'"),
        ({"transforms": {"jitter": -3}}, "transforms.jitter", "greater than or equal to 0"),
        ({"target": list(range(40)), "variations": 2}, "variations", "makes 80 pictures"),
        ({"target": list(range(30)), "size": 1024}, "size", "747 px is the most"),
        ({"size": 7}, "size", "greater than or equal to 8"),
        ({"preset": "best"}, "preset", "'lucid'"),
        ({"network": "vgg20"}, "network", "There is no network"),
        ({"frames": 3}, "frames", "There is no param"),
    ],
)
def test_what_does_not_go_together(params: dict[str, Any], field: str, said: str) -> None:
    found = refusal("class_visualization", **{"target": 1, **params})

    assert found[0] == field
    assert said in found[1]


@pytest.mark.parametrize("kind", ["class_visualization", "feature_visualization"])
def test_lbfgs_has_no_step_size_nor_have_jobs_of_before(kind: str) -> None:
    target = {"target": 1} if kind == "class_visualization" else {}
    made = parse_params(kind, {"optimizer": "lbfgs", "transforms": {}, **target}, SHIPPED)
    stored = made.model_dump(mode="json")
    assert stored["step_size"] is None

    again = type(made).present_values({**stored, "step_size": 0.05}, {})
    assert parse_params(kind, again, SHIPPED) == made


def test_the_largest_size_that_is_named_works() -> None:
    made = classes(target=list(range(30)), size=747)

    assert 30 * (made.size or 0) ** 2 <= MAX_PIXELS


def test_variations_follow_the_seed() -> None:
    assert classes(seed=4, variations=3).seeds() == [4, 5, 6]
    assert classes(seed=2**63 - 1, variations=2).seeds() == [2**63 - 1, 0]


def test_units() -> None:
    made = features(layer="conv3_1", channels=["0-2", 7, "9,1"])
    assert made.channels == [0, 1, 2, 7, 9]
    assert (made.units, made.sides, made.layers_used) == (5, [1], ["conv3_1"])
    assert features(layer="conv1_1").channels == list(range(9))
    assert features().layer == middle_layer(CARD)
    example = features(objective="direction", image=IMAGE)
    assert (example.layer, example.channels) == (middle_layer(CARD), None)
    assert (example.units, example.sides, example.pictures()) == (1, [1], {"image": [IMAGE]})
    both = features(terms=["conv3_1:5", "conv4_1", "fc6:7:neuron"], sign="both")
    assert both.terms == {"conv3_1:5": 1, "conv4_1": 1, "fc6:7:neuron": 1}
    assert (both.units, both.sides) == (1, [1, -1])
    assert both.layers_used == ["conv3_1", "conv4_1", "fc6"]


@pytest.mark.parametrize(
    ("params", "field", "said"),
    [
        ({"layer": "conv9_1"}, "layer", "no layer 'conv9_1'"),
        ({"layer": "conv1_1", "channels": [64]}, "channels", "its channels are 0 to 63"),
        ({"layer": "conv1_1", "channels": "0-70"}, "channels", "at most 64 items"),
        (
            {"layer": "conv1_1", "channels": "0-99999999"},
            "channels",
            "'0-99999999' is neither a number nor a range",
        ),
        *(
            ({"channels": text}, "channels", "such as 0-8")
            for text in ("x", "0-", "-3", "1-x", ["2", "1--3"])
        ),
        ({"channels": "8-0"}, "channels", "'8-0' goes backwards"),
        ({"objective": "layer", "channels": [1]}, "channels", "leave them out"),
        ({"objective": "layer", "sign": "both"}, "sign", "set it to 'positive'"),
        ({"diversity": 1}, "diversity", "variations to 2"),
        ({"objective": "caricature"}, "image", "a caricature is not drawn without one"),
        ({"objective": "direction", "layer": "conv3_1"}, "image", "a direction is not drawn without one"),
        *(
            ({"objective": each, "image": IMAGE}, "image", "set objective to")
            for each in (None, "channel", "neuron", "layer")
        ),
        ({"objective": "caricature", "image": IMAGE, "channels": [1]}, "channels", "leave them out"),
        ({"objective": "direction", "image": IMAGE, "channels": [1]}, "channels", "leave them out"),
        ({"objective": "caricature", "image": IMAGE, "sign": "negative"}, "sign", "set it to 'positive'"),
        (
            {"objective": "direction", "image": IMAGE, "sign": "both", "layer": "relu3_1"},
            "sign",
            "relu3_1 is never below 0",
        ),
        ({"objective": "caricature", "image": IMAGE, "layer": "conv9_1"}, "layer", "no layer 'conv9_1'"),
        ({"terms": {"conv3_1:5": 1}, "image": IMAGE}, "image", "leave out one"),
        ({"terms": {"conv3_1:5": 1}, "layer": "conv3_1"}, "layer", "leave out one"),
        ({"terms": {"conv3_1:5:x": 1}}, "terms", "is not a unit"),
        ({"terms": {"conv3_1:256": 1}}, "terms", "0 to 255"),
        ({"terms": {"conv8_1:2": 1}}, "terms", "no layer"),
        ({"terms": {"conv3_1:5": 0}}, "terms", "All weights are 0"),
        ({"terms": {"conv3_1": -1}}, "terms", "positive weight"),
        ({"channels": list(range(60)), "sign": "both"}, "variations", "makes 120 pictures"),
    ],
)
def test_units_that_are_not_there(params: dict[str, Any], field: str, said: str) -> None:
    found = refusal("feature_visualization", **params)

    assert found[0] == field
    assert said in found[1]


def test_layers_to_invert() -> None:
    assert inversion().layers == ["relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_4", "pool5", "logits"]
    assert inversion(network="vgg19-random").layers[-1:] == ["pool5"]
    # In the order of the network, each once, however they are written.
    assert inversion(layers="pool5,conv1_1, pool5").layers == ["conv1_1", "pool5"]
    assert inversion(layers={"pool5": 1, "conv1_1": 1}).layers == ["conv1_1", "pool5"]
    assert inversion(size=300).picture_side("image") == 300


@pytest.mark.parametrize(
    ("params", "field", "said"),
    [
        ({"layers": ["rlu"]}, "layers", "no layer 'rlu'"),
        ({"layers": []}, "layers", "at least 1"),
        ({"variations": 10}, "variations", "64 at most"),
        ({"tv_weight": -1}, "tv_weight", "greater than or equal to 0"),
    ],
)
def test_inversions_that_cannot_be(params: dict[str, Any], field: str, said: str) -> None:
    found = refusal("feature_inversion", image=IMAGE, **params)

    assert found[0] == field
    assert said in found[1]


@pytest.mark.parametrize(
    "cls", [ClassVisualizationParams, FeatureVisualizationParams, FeatureInversionParams]
)
def test_a_form_can_be_made_of_it(cls: type[Params]) -> None:
    spec = next(spec for spec in KINDS.values() if spec.params is cls)
    properties = cls.model_json_schema()["properties"]
    for name, field in properties.items():
        assert field.get("title"), name
        assert str(field["description"]).endswith("."), name
    assert set(spec.primary_fields) <= set(properties)
    assert set(spec.example) <= set(properties)
