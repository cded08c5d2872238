from typing import Any

import pytest

from app.errors import InputError
from app.kinds.adversarial import AdversarialParams
from app.networks.catalogue import SHIPPED

# What each method needs beside its name.
NEEDED: dict[str, dict[str, Any]] = {
    "fgsm": {"image": "x"},
    "bim": {"image": "x"},
    "pgd-linf": {"image": "x"},
    "pgd-l2": {"image": "x"},
    "fooling": {"target": "zebra"},
    "linear": {},
}
EVERY = pytest.mark.parametrize("method", NEEDED)


def make(method: str, **values: Any) -> AdversarialParams:
    return AdversarialParams.model_validate({"method": method, **NEEDED[method], **values}).resolve(SHIPPED)


@EVERY
def test_what_is_resolved_resolves_to_itself(method: str) -> None:
    params = make(method)

    assert AdversarialParams.model_validate(params.model_dump(mode="json")).resolve(SHIPPED) == params


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("fgsm", {"epsilon": 16, "steps": None, "step_size": None, "size": 128}),
        ("bim", {"epsilon": 16, "steps": 20, "step_size": 1}),
        ("pgd-linf", {"epsilon": 16, "steps": 40, "step_size": 1}),
        ("pgd-l2", {"epsilon": 2040, "steps": 40, "step_size": 127.5}),
        ("fooling", {"epsilon": None, "steps": 500, "confidence": 0.996, "target": "zebra"}),
        ("linear", {"target": "planet", "against": "mountains", "epsilon": 24, "steps": None, "size": None}),
    ],
)
def test_a_method_says_what_is_left_open(method: str, expected: dict[str, Any]) -> None:
    values = make(method).model_dump()

    assert values.items() >= expected.items()


def test_the_iterative_method_can_reach_its_edge() -> None:
    # palette resists twice as much as a network that was trained on photographs alone.
    assert make("pgd-linf", network="vgg19").epsilon == 8
    # min(epsilon + 4, 1.25 epsilon) steps of a level; fewer are longer.
    assert make("bim", epsilon=32).steps == 36
    assert make("bim", epsilon=1).steps == 1
    few = make("bim", epsilon=32, steps=4)
    assert few.step_size == 8


def test_what_is_left_open_is_within_its_limits() -> None:
    most = make("bim", epsilon=100_000)
    assert (most.steps, most.step_size) == (20_000, 5)
    assert make("pgd-l2", epsilon=200_000, steps=1).step_size == 255_000


@pytest.mark.parametrize(("given", "name"), [("Zebra", "zebra"), (0, "bare tree"), ("1", "basket weave")])
def test_a_target_by_name_or_index(given: str | int, name: str) -> None:
    for method in NEEDED:
        assert make(method, target=given).target == name


def test_what_draws_something_can_be_varied() -> None:
    for method in ("pgd-linf", "pgd-l2", "fooling", "linear"):
        assert make(method, variations=16).variations == 16


def test_no_target_is_any_other_class() -> None:
    assert make("pgd-linf").target is None


def test_the_size_is_what_the_network_classifies() -> None:
    assert make("fgsm", network="vgg19").size == 224
    assert make("fgsm", network="vgg19", size=100).size == 100


@pytest.mark.parametrize(
    ("method", "values", "field", "said"),
    [
        ("fgsm", {"image": None}, "image", "Name the picture to change"),
        ("fooling", {"target": None}, "target", "Name the class"),
        ("fooling", {"image": "x"}, "image", "fooling does not use this: leave it out, or use fgsm, bim"),
        ("fooling", {"epsilon": 8}, "epsilon", "leave it out"),
        ("fgsm", {"steps": 3}, "steps", "or use bim, pgd-linf, pgd-l2, fooling."),
        ("fgsm", {"step_size": 3}, "step_size", "leave it out"),
        ("pgd-linf", {"confidence": 0.9}, "confidence", "or use fooling."),
        ("pgd-linf", {"against": "planet"}, "against", "or use linear."),
        ("linear", {"size": 64}, "size", "leave it out"),
        ("linear", {"network": "vgg19"}, "network", "uses no network"),
        ("linear", {"target": "planet", "against": "planet"}, "against", "Both classes are 'planet'"),
        ("linear", {"against": "planets"}, "against", "Did you mean 'planet'"),
        ("bim", {"target": "zebu"}, "target", "Did you mean 'zebra'"),
        ("bim", {"network": "vgg19-random"}, "network", "vgg19-random cannot classify"),
        ("fgsm", {"variations": 2}, "variations", "With fgsm every seed gives one picture: leave this out"),
        ("bim", {"variations": 2}, "variations", "or use pgd-linf, pgd-l2, fooling, linear."),
    ],
)
def test_what_cannot_be_is_named(method: str, values: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        make(method, **values)

    assert caught.value.field == field
    assert said in caught.value.detail
