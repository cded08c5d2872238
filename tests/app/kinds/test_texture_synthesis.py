import pytest

from app.errors import InputError
from app.kinds.layers import first_of_stages
from app.kinds.texture_synthesis import TextureSynthesisParams
from app.networks import get_card
from app.networks.catalogue import SHIPPED


def make(**values: object) -> TextureSynthesisParams:
    return TextureSynthesisParams.model_validate({"image": "x", **values}).resolve(SHIPPED)


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ("palette", ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]),
        ("vgg19", ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]),
        ("squeezenet1_1", ["relu1", "fire2", "fire4"]),
        ("efficientnet_lite0", ["stem", "block2", "block4"]),
    ],
)
def test_the_usual_layers_begin_each_stage(network: str, layers: list[str]) -> None:
    assert first_of_stages(get_card(network)) == layers
    assert make(network=network).layers == dict.fromkeys(layers, 1.0)


def test_what_is_resolved_resolves_to_itself() -> None:
    params = make(layers="relu1_1, relu2_1", aspect=1.5)

    assert params.resolve(SHIPPED) == params
    assert params.layers == {"relu1_1": 1.0, "relu2_1": 1.0}


@pytest.mark.parametrize(
    ("aspect", "size"), [(1.0, (512, 512)), (16 / 9, (288, 512)), (0.5, (512, 256)), (32, (16, 512))]
)
def test_the_longer_side_is_the_size(aspect: float, size: tuple[int, int]) -> None:
    assert make(aspect=aspect).result_size(512) == size


@pytest.mark.parametrize(
    "values",
    [
        {"size": 8192},
        {"size": 5792, "variations": 2},
        {"size": 8192, "aspect": 0.25, "variations": 4},
        {"size": 6688, "aspect": 4, "variations": 6},
    ],
)
def test_as_many_pixels_as_one_picture_may_have(values: dict[str, object]) -> None:
    assert make(**values).variations == values.get("variations", 1)


def test_a_texture_is_loaded_as_large_as_it_is_looked_at() -> None:
    assert make(size=300).picture_side("image") == 300
    assert make(size=300, source_size=700).picture_side("image") == 700


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"layers": ["relu9_1"]}, "layers", "palette has no layer 'relu9_1'. Layers: conv1_1"),
        ({"layers": ["logits"]}, "layers", "logits sees the whole picture at once"),
        ({"layers": {"relu1_1": 0}}, "layers", "All weights are 0"),
        ({"network": "nothing"}, "network", "There is no network 'nothing'"),
        ({"size": 8192, "variations": 2}, "variations", "ask for 1 at most, or set size to 5792 or less"),
        (
            {"size": 8192, "aspect": 0.25, "variations": 6},
            "variations",
            "ask for 4 at most, or set size to 6688",
        ),
    ],
)
def test_what_cannot_be_is_named(values: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        make(**values)

    assert caught.value.field == field
    assert said in caught.value.detail
