"""Work and memory of jobs, as estimated from cards."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.kinds import KINDS, Params
from app.kinds.work import (
    COPIES,
    COPIES_IN_PARTS,
    COPIES_IN_STEPS,
    GRADIENT,
    HEAP_BYTES,
    NUMBER,
    PART_BYTES,
    SPENDINGS,
    STEP,
    TAKEN,
    TAKEN_BY_PARTS,
    activation_bytes,
    affordable_history,
    descent_bytes,
    forward_work,
    steps_work,
)
from app.networks.card import LayerCard
from app.networks.catalogue import SHIPPED, get_card
from models.costs import layer_costs
from models.registry import load_network

PALETTE = get_card("palette")
# Kinds whose work depends on what nobody knows before they run.
UNKNOWN = {"pull_weights", "import_members", "make_dataset"}


def resolved(kind: str, **params: Any) -> Params:
    """The example of a kind with some params, as a job stores it; pictures need not exist."""
    spec = KINDS[kind]
    pictures = {
        name: "picture"
        for name in spec.params.picture_fields()
        if spec.params.model_fields[name].is_required() or name == spec.example_picture
    }
    return spec.params.model_validate({**pictures, **spec.example, **params}).resolve(SHIPPED)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_how_much_work_a_job_is(kind: str) -> None:
    params = resolved(kind)
    need = params.network_need()
    card = None if need is None else get_card(need.name)
    work = params.work(card, 100)
    assert (work is None) == (kind in UNKNOWN)
    assert work is None or work > 0
    assert card is None or params.shaped_bytes(card, SPENDINGS[0], 0.5) >= 0


@pytest.mark.medium
@pytest.mark.parametrize("name", ["palette", "vgg19-random"])
def test_the_share_up_to_a_layer_is_that_of_its_convolutions(name: str) -> None:
    card, side = get_card(name), get_card(name).counted_side
    costs = layer_costs(load_network(name), side, side)
    done = 0
    for layer in card.layers:
        done += costs[layer.name].multiply_adds
        # Palette's scores are a thousandth of the whole, and not counted.
        assert forward_work(card, side, layers=[layer.name]) == pytest.approx(done, rel=2e-3)
    assert forward_work(card, side) == card.multiply_adds


def test_work_grows_with_area_passes_and_steps() -> None:
    once = forward_work(PALETTE, 128)
    assert once == PALETTE.multiply_adds == forward_work(PALETTE, None)
    assert forward_work(PALETTE, 256, passes=3) == 12 * once
    assert steps_work(PALETTE, [128], 10) == pytest.approx(10 * (GRADIENT * once + STEP))
    # Half of the steps at each side.
    assert steps_work(PALETTE, [128, 256], 10) == pytest.approx(5 * (GRADIENT * 5 * once + 2 * STEP))
    # A target at each side.
    in_views = steps_work(PALETTE, [128, 256], 10, targets=3, views=[3, 1])
    assert in_views == pytest.approx((5 * GRADIENT + 3) * (3 + 4) * once + 10 * STEP)
    with_targets = steps_work(PALETTE, [128, 256], 10, targets=2)
    assert with_targets == pytest.approx(5 * (GRADIENT * 5 * once + 2 * STEP) + 2 * 5 * once)
    unknown = PALETTE.model_copy(update={"multiply_adds": None})
    assert forward_work(unknown, 128) is steps_work(unknown, [128], 1) is forward_work(None, 128) is None


def test_activations_of_layers_known_by_hand() -> None:
    layers = [
        LayerCard(name="conv", kind="conv", channels=4, stride=1, receptive_field=3),
        LayerCard(name="relu", kind="relu", channels=4, stride=1, receptive_field=3),
        LayerCard(name="pool", kind="pool", channels=4, stride=2, receptive_field=4),
        LayerCard(name="deep", kind="conv", channels=16, stride=2, receptive_field=8),
    ]
    card = PALETTE.model_copy(update={"layers": layers})
    # By pixel: 4 of conv, none of relu, 4 / 4 of pool, 16 / 4 of deep; their gradients as many.
    assert activation_bytes(card, 100) == 2 * NUMBER * 100 * (4 + 1 + 4)
    assert activation_bytes(card, 100, ["pool"]) == 2 * NUMBER * 100 * (4 + 1)
    # Picture and conv.
    assert activation_bytes(card, 100, gradient=False) == NUMBER * 100 * (3 + 4)
    # A picture in one tile, with all pairs of L-BFGS in float32, and with three in bfloat16; in small tiles,
    # with one pair.
    layers, few = ["deep"], SPENDINGS[-1]
    small, large = 3 * NUMBER * 800 * 600, 3 * NUMBER * 4000 * 3000
    alone = TAKEN * activation_bytes(card, 800 * 600, layers)
    assert descent_bytes(card, (600, 800), layers, SPENDINGS[0]) == alone + (COPIES + 2 * 10) * small
    alone = TAKEN * activation_bytes(card, 12e6, layers)
    assert descent_bytes(card, (3000, 4000), layers, SPENDINGS[0]) == alone + (COPIES + 3) * large
    stepping = HEAP_BYTES + COPIES_IN_STEPS * large
    assert descent_bytes(card, (3000, 4000), layers, few) == stepping + large
    # Where a tile takes more than a step does.
    parts = TAKEN_BY_PARTS * PART_BYTES
    wide, usual = PALETTE, SPENDINGS[0]
    small = 3 * NUMBER * 2400 * 1800
    evaluating = parts + (COPIES_IN_PARTS + affordable_history(small)) * small
    assert descent_bytes(wide, (1800, 2400), ["relu4_1"], usual) == evaluating
    # Features of the content, 4 for each pixel, are kept if they are few.
    for side, kept in ((4000, 4 * NUMBER * 12e6), (20000, 0)):
        assert (
            descent_bytes(card, (3000, side), layers, few, content=["conv"])
            - descent_bytes(card, (3000, side), layers, few)
        ) == kept


@given(st.integers(16, 2048), st.integers(1, 500))
@hypothesis_settings(max_examples=20, deadline=None)
def test_a_larger_style_transfer_is_more_work(size: int, steps: int) -> None:
    def work(**params: Any) -> float:
        found = resolved("style_transfer", **params).work(PALETTE, 0)
        assert found is not None
        return found

    once = work(size=size, steps=steps)
    assert once < work(size=size, steps=2 * steps) < 2 * once
    assert once < work(size=2 * size, steps=steps)
    assert once < work(size=size, steps=steps, style=["one", "two"])


def test_a_set_is_work_by_its_members() -> None:
    card = get_card("efficientnet_lite0")
    params = resolved("evaluate", dataset="digits")
    once = params.work(card, 1)
    assert once is not None
    assert params.work(card, 500) == pytest.approx(500 * once)
    few = resolved("train", dataset="digits", preset="from-scratch", epochs=2)
    many = resolved("train", dataset="digits", preset="from-scratch", epochs=4, restarts=3)
    first, second = few.work(None, 1000), many.work(None, 1000)
    assert first is not None and second == pytest.approx(6 * first)
