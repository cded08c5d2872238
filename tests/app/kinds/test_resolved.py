"""Resolved params: a type of their own, stored as JSON with the keys of the params class."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.jobs.params import parse_params
from app.kinds import KINDS, spec_of
from app.kinds.adversarial import ResolvedAttack, ResolvedFooling, ResolvedLinear
from app.kinds.base import Params
from app.networks.catalogue import SHIPPED

IMAGE = "0198c0de-0000-7000-8000-000000000000"
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("style_transfer", {"content": IMAGE, "style": IMAGE}),
    ("deep_dream", {"image": IMAGE}),
    ("class_visualization", {"target": 1}),
    ("class_visualization", {"target": 1, "preset": "maco"}),
    ("feature_visualization", {}),
    ("feature_visualization", {"terms": {"conv4_1:7": 1, "conv2_1": -0.5}}),
    ("feature_inversion", {"image": IMAGE}),
    ("texture_synthesis", {"image": IMAGE}),
    ("adversarial", {"image": IMAGE}),
    ("adversarial", {"image": IMAGE, "method": "fgsm"}),
    ("adversarial", {"method": "fooling", "target": 1}),
    ("adversarial", {"method": "linear"}),
    ("classify", {"image": IMAGE}),
    (
        "classify",
        {"images": [IMAGE, IMAGE], "networks": ["palette", "efficientnet_lite0"], "ensemble": "compare"},
    ),
    ("classify", {"dataset": "digits", "network": "palette", "crops": "ten", "scales": [1, 1.5]}),
    ("pull_weights", {"network": "vgg19"}),
]
# Any other kind is asked for by its example.
for spec in KINDS.values():
    if spec.name not in dict(ASKED):
        required = {name for name, info in spec.params.model_fields.items() if info.is_required()}
        pictures = dict.fromkeys(required & spec.params.picture_fields().keys(), IMAGE)
        ASKED.append((spec.name, {**spec.example, **pictures}))


@pytest.mark.parametrize(("kind", "asked"), ASKED)
def test_what_is_stored_loads_as_the_same_type(kind: str, asked: dict[str, Any]) -> None:
    spec = KINDS[kind]
    resolved = parse_params(kind, asked, SHIPPED)

    assert type(resolved) in (spec.resolved or (spec.params,))
    assert spec_of(resolved) is spec
    stored = resolved.model_dump(mode="json")
    assert list(stored) == list(spec.params.model_fields)
    assert spec.load(stored) == resolved
    # A retry and a recipe resolve it once more.
    assert parse_params(kind, stored, SHIPPED) == resolved


@pytest.mark.parametrize(
    ("method", "expected"),
    [("pgd-l2", ResolvedAttack), ("fooling", ResolvedFooling), ("linear", ResolvedLinear)],
)
def test_a_family_of_methods_has_a_type(method: str, expected: type[Params]) -> None:
    values = {"image": IMAGE} if method == "pgd-l2" else {"target": "planet"}
    assert type(parse_params("adversarial", {"method": method, **values}, SHIPPED)) is expected


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("style_transfer", {"content": IMAGE, "style": [IMAGE]}),
        ("adversarial", {"method": "fooling"}),
        ("deep_dream", {"image": IMAGE}),
    ],
)
def test_what_is_not_resolved_does_not_load(kind: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KINDS[kind].load(values)
