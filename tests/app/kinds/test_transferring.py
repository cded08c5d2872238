"""Transfer without torch: layers that a classifier can stand on, blocks, and which way suits a set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InputError
from app.kinds.train import TrainParams
from app.kinds.transferring import (
    FEW,
    MEAN_LAYER,
    blocks_of,
    last_features,
    refuse_for_frozen,
    require_base,
    require_blocks,
    require_feature_layers,
    suggest,
    usable_layers,
)
from app.networks.card import LayerCard
from app.networks.catalogue import get_card, list_cards
from models import architectures

CARDS = {card.name: card for card in list_cards()}


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("palette", "pool5"),
        ("efficientnet_lite0", "pool"),
        ("alexnet", "relu7"),
        # Not dropout7, which does nothing in a frozen network.
        ("vgg19", "relu7"),
        ("resnet50", "pool5"),
        # Its logits are means of maps of a convolution, which is of its classes too.
        ("squeezenet1_1", "fire9"),
        # It has no classifier.
        ("vgg19-random", "pool5"),
    ],
)
def test_the_last_features_are_what_the_classifier_reads(name: str, layer: str) -> None:
    assert last_features(CARDS[name].layers) == layer


def test_a_classifier_on_an_inner_layer_can_be_a_base_again() -> None:
    layers = [
        LayerCard(name="conv1", kind="conv", channels=4, stride=1, receptive_field=3),
        LayerCard(name="relu1", kind="relu", channels=4, stride=1, receptive_field=3),
        LayerCard(name=MEAN_LAYER, kind="pool", channels=4, stride=0, receptive_field=0),
        # As many classes as maps.
        LayerCard(name="logits", kind="logits", channels=4, stride=0, receptive_field=0),
    ]
    assert [layer.name for layer in usable_layers(layers)] == ["conv1", "relu1"]
    assert last_features(layers) == "relu1"


def test_the_mean_is_called_as_the_architectures_call_it() -> None:
    assert architectures.MEAN_LAYER == MEAN_LAYER


@pytest.mark.parametrize("name", CARDS)
def test_blocks_hold_every_layer_once_in_order(name: str) -> None:
    layers = CARDS[name].layers
    last = last_features(layers)
    names = [layer.name for layer in layers]
    blocks = blocks_of(layers, last)
    assert [each for block in blocks for each in block] == names[: names.index(last) + 1]
    kinds = {layer.name: layer.kind for layer in layers}
    weighted = ("conv", "fc", "fire", "residual", "inception")
    assert all(any(kinds[each] in weighted for each in block) for block in blocks)


def test_convolutions_of_a_stage_are_a_block_and_residual_blocks_are_too() -> None:
    assert [block[0] for block in blocks_of(CARDS["vgg19"].layers, "relu7")] == [
        *(f"conv{stage}_1" for stage in range(1, 6)),
        "fc6",
        "fc7",
    ]
    efficient = blocks_of(CARDS["efficientnet_lite0"].layers, "pool")
    assert len(efficient) == 18
    assert efficient[-1] == ["head_conv", "head", "pool"]
    assert blocks_of(CARDS["resnet18"].layers, "res3_1")[-1] == ["res3_1"]


def test_layers_of_the_old_classifier_are_refused() -> None:
    require_feature_layers(CARDS["squeezenet1_1"], ["fire5", "pool1", "dropout9"], "feature_layer")
    for layer in ("logits", "conv10"):
        with pytest.raises(InputError, match="fire9 or a layer before it") as caught:
            require_feature_layers(CARDS["squeezenet1_1"], [layer], "compare_layers")
        assert caught.value.field == "compare_layers"
    with pytest.raises(InputError, match="has no layer 'conv9'"):
        require_feature_layers(CARDS["palette"], ["conv9"], "feature_layer")


def test_an_ensemble_is_no_base() -> None:
    ensemble = get_card("palette").model_copy(update={"name": "three", "architecture": "ensemble"})
    with pytest.raises(InputError, match="three is an ensemble of networks") as caught:
        require_base(ensemble)
    assert caught.value.field == "base"
    linear = get_card("palette").model_copy(
        update={"name": "flat", "layers": get_card("palette").layers[-1:]}
    )
    with pytest.raises(InputError, match="no layer before its classifier"):
        require_base(linear)
    require_base(get_card("palette"))


def test_more_blocks_than_there_are_are_refused() -> None:
    require_blocks(CARDS["palette"], "pool5", 5)
    with pytest.raises(InputError, match="palette has 5 blocks up to pool5") as caught:
        require_blocks(CARDS["palette"], "pool5", 6)
    assert caught.value.field == "last_blocks"


@pytest.mark.parametrize(
    ("way", "given_", "field"),
    [
        ("head", {"epochs": 3}, "epochs"),
        ("svm", {"learning_rate": 0.1}, "learning_rate"),
        ("head", {"crop": 0.5}, "crop"),
        ("head", {"objective": "triplet"}, "objective"),
        ("svm", {"objective": "softmax"}, "objective"),
        ("svm", {"label_smoothing": 0.1}, "label_smoothing"),
        ("head", {"l1": 0.1}, "l1"),
        ("head", {"l2": 0.1}, "l2"),
        ("svm", {"find_learning_rate": True}, "find_learning_rate"),
        ("head", {"restarts": 2}, "restarts"),
    ],
)
def test_what_a_frozen_trunk_does_not_do_is_refused(way: str, given_: dict[str, object], field: str) -> None:
    params = TrainParams.model_validate({"dataset": "digits", **given_})
    with pytest.raises(InputError) as caught:
        refuse_for_frozen(way, params)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_what_a_frozen_trunk_does_is_taken() -> None:
    given_ = {"objective": "hinge", "label_smoothing": 0.1, "flip": True, "folds": 3}
    refuse_for_frozen("head", TrainParams.model_validate({"dataset": "digits", **given_}))
    refuse_for_frozen("svm", TrainParams(dataset="digits"))


def test_the_suggestion_is_the_table_of_the_lecture() -> None:
    assert suggest(FEW - 1, True).transfer == "head"
    assert suggest(FEW, True).transfer == "last"
    assert suggest(FEW, False).transfer == "all"
    different = suggest(FEW - 1, False, "block8")
    assert different.transfer == "head"
    assert "features of block8" in different.text


@given(st.integers(0, 10_000), st.sampled_from([None, True, False]))
def test_a_suggestion_is_a_sentence_with_the_count(per_class: int, similar: bool | None) -> None:
    text = suggest(per_class, similar).text
    assert text.startswith(f"{per_class:,} training pictures a class are ")
    assert text.endswith(".")
