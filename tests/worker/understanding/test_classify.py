"""Classification of one picture, of several, and of sets."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.classify import SPEC, ClassifyParams
from app.networks.catalogue import SHIPPED
from tests.support.networks import CLASSES, make_classifier
from tests.support.stacks import ends_of
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member, Source
from worker.contract.stacks import StackedJob
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.media.pictures import Picture
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.understanding import prediction_run
from worker.understanding.classify import classify, classify_jobs

CPU = Compute(torch.device("cpu"))
NETWORK = make_classifier(input_size=24)
OTHER = make_classifier(seed=5, input_size=24)
PICTURES = [drawn(40 + 3 * place, 50, place) for place in range(7)]


def make_params(**values: Any) -> ClassifyParams:
    """Resolved params, but for a network that is in no catalogue."""
    return ClassifyParams.model_validate({"network": "tiny", "size": 24, "temperature": 1.0, **values})


def run(params: ClassifyParams, inputs: Inputs, resume: StepState | None = None) -> Outcome:
    return run_steps(classify(params, inputs, NETWORK, CPU, resume))


def several(pictures: Sequence[Tensor] = PICTURES, **values: Any) -> dict[str, Any]:
    params = make_params(images=["x"] * len(pictures), **values)
    networks = {"other": OTHER}
    sources = [
        Source("", lambda each=each: Picture(each), f"{place}.png") for place, each in enumerate(pictures)
    ]
    return run(params, Inputs({"images": sources}, networks=networks)).result


def a_set(pictures: Sequence[Tensor] = PICTURES, broken: int | None = None) -> Inputs:
    def load(place: int) -> Picture:
        if place == broken:
            raise InputError("dataset", "This is not a picture.")
        return Picture(pictures[place])

    members = [
        Member(Source("", lambda place=place: load(place)), CLASSES[place % 6], f"{place}.png")
        for place in range(len(pictures))
    ]
    return Inputs(sets={"dataset": members})


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.files["predictions"].data.splitlines()]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two entries say the same, but for rounding."""
    top = [each["index"] for each in one["top"]] == [each["index"] for each in other["top"]]
    first, second = ([each["probability"] for each in entry["top"]] for entry in (one, other))
    return (
        top
        and first == pytest.approx(second, abs=1e-5)
        and one["energy"] == pytest.approx(other["energy"], abs=1e-5)
    )


def test_one_picture_has_its_classes_in_order() -> None:
    outcome = run(make_params(image="x", top=3), Inputs.of({"image": PICTURES[:1]}))
    result = outcome.result
    assert not outcome.images and not outcome.files
    assert result["network"] == "tiny" and result["temperature"] == 1.0
    given = [row["probability"] for row in result["top"]]
    assert len(given) == 3 and given == sorted(given, reverse=True)
    logits = NETWORK.logits(PICTURES[0][..., :24, :24].mean((2, 3), keepdim=True).expand(1, 3, 24, 24))
    assert logits.shape == (1, 6) and result["verdict"] is None
    json.dumps(result)


def test_each_of_several_is_what_it_is_alone() -> None:
    entries = several()["pictures"]
    assert [entry["name"] for entry in entries] == [f"{place}.png" for place in range(7)]
    for picture, entry in zip(PICTURES, entries, strict=True):
        assert same(entry, run(make_params(image="x"), Inputs.of({"image": [picture]})).result)


def test_a_set_has_the_same_lines() -> None:
    outcome = run(make_params(dataset="x"), a_set())
    found = lines(outcome)
    assert [line["label"] for line in found] == [CLASSES[place % 6] for place in range(7)]
    assert all(same(*pair) for pair in zip(found, several()["pictures"], strict=True))
    assert sum(row["pictures"] for row in outcome.result["table"]) == outcome.result["pictures_total"] == 7


def test_a_broken_picture_of_a_set_is_a_line_with_its_error() -> None:
    outcome = run(make_params(dataset="x"), a_set(broken=2))
    assert lines(outcome)[2] == {"name": "2.png", "error": "This is not a picture."}
    assert outcome.result["pictures_broken"] == 1
    good = [line for line in lines(outcome) if "error" not in line]
    assert all(
        same(*pair) for pair in zip(good, several([*PICTURES[:2], *PICTURES[3:]])["pictures"], strict=True)
    )


def test_a_size_that_there_is_no_memory_for_is_refused() -> None:
    little = Compute(torch.device("cpu"), picture_bytes=1000)
    with pytest.raises(InputError, match="the largest size that fits"):
        run_steps(classify(make_params(image="x"), Inputs({"image": []}), NETWORK, little))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"size": 2048, "crops": "ten", "scales": [4.0] * 8}, "size"),
        ({"size": 2048, "crops": "ten", "scales": [1.0] * 2}, "size"),
    ],
)
def test_more_crops_than_the_memory_holds_are_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError, match="px or less, or fewer crops") as refused:
        ClassifyParams(image="x", network="palette", **values).resolve(SHIPPED)
    assert refused.value.field == field


def test_resumed_is_uninterrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_run, "BATCH", 2)
    states: list[StepState] = []
    params = make_params(dataset="x")

    def keep(step: Step) -> None:
        states.append(step.state())

    whole = run_steps(classify(params, a_set(), NETWORK, CPU), keep)
    assert [len(state.parts) for state in states] == [1, 2, 3, 4]
    for state in states:
        stored = from_bytes(to_bytes(state))
        again = run(params, a_set(), StepState(stored.tensors, stored.values, state.parts))
        assert again.files["predictions"].data == whole.files["predictions"].data
        assert again.result == whole.result


def test_an_ensemble_of_equal_networks_is_one_of_them() -> None:
    inputs = Inputs({"image": [Source("", lambda: Picture(PICTURES[0]))]}, networks={"again": NETWORK})
    both = run(make_params(image="x", networks=["tiny", "again"]), inputs).result
    one = run(make_params(image="x"), inputs).result
    assert both["ensemble"] == "average" and len(both["networks"]) == 2
    assert [row["probability"] for row in both["top"]] == pytest.approx(
        [row["probability"] for row in one["top"]]
    )


def test_an_ensemble_averages_or_compares() -> None:
    averaged = several(networks=["tiny", "other"], top=6)["pictures"]
    compared = several(networks=["tiny", "other"], top=6, ensemble="compare")["pictures"]
    assert len(compared) == 14 and all(entry["network"] == "tiny" for entry in compared)
    for place, entry in enumerate(averaged):
        assert entry["energy"] is entry["verdict"] is None
        assert entry["energies"] == [each["energy"] for each in compared[2 * place :][:2]]
        by_index = [
            {row["index"]: row["probability"] for row in each["top"]} for each in compared[2 * place :][:2]
        ]
        for row in entry["top"]:
            mean = (by_index[0][row["index"]] + by_index[1][row["index"]]) / 2
            assert row["probability"] == pytest.approx(mean, abs=1e-6)


def test_a_picture_of_one_color_is_the_same_in_every_crop() -> None:
    flat = torch.tensor([0.9, 0.2, 0.4]).view(1, 3, 1, 1).expand(1, 3, 60, 50)
    results = [
        run(make_params(image="x", crops=crops, scales=scales), Inputs.of({"image": [flat]})).result
        for crops, scales in (("center", [1.0]), ("ten", [1.0]), ("resize", [1.0]), ("ten", [1.0, 2.0]))
    ]
    assert all(same(results[0], each) for each in results)


def test_jobs_together_are_each_alone_and_a_bad_one_fails_alone() -> None:
    def broken() -> Picture:
        raise InputError("image", "This is not a picture.")

    params = [
        make_params(image="x", top=2),
        make_params(images=["x"] * 3),
        make_params(image="x", figure=True),
    ]
    inputs = [
        Inputs.of({"image": PICTURES[:1]}),
        Inputs.of({"images": PICTURES[1:4]}),
        Inputs.of({"image": PICTURES[4:5]}),
    ]
    jobs = [StackedJob(own, each) for own, each in zip(params, inputs, strict=True)]
    jobs.append(StackedJob(params[0], Inputs({"image": [Source("", broken)]})))
    together = ends_of(classify_jobs(jobs, NETWORK, CPU))
    assert isinstance(together[3], InputError) and together[3].field == "image"
    for place, (own, each) in enumerate(zip(params, inputs, strict=True)):
        alone, made = run(own, each), together[place]
        assert isinstance(made, Outcome) and made.images.keys() == alone.images.keys()
        entries = made.result.get("pictures", [made.result])
        assert all(
            same(*pair) for pair in zip(entries, alone.result.get("pictures", [alone.result]), strict=True)
        )


def test_a_size_that_the_network_cannot_take_is_named() -> None:
    tiny = make_params(image="x").model_copy(update={"size": 2})
    with pytest.raises(InputError, match="needs 4 px") as error:
        run(tiny, Inputs.of({"image": PICTURES[:1]}))
    assert error.value.field == "size"


def test_what_waits_together_is_shown_alike() -> None:
    params = make_params(image="x", network="palette")
    assert params.stack_key({}) == make_params(images=["y"], network="palette", top=3).stack_key({})
    for change in ({"crops": "ten"}, {"size": 32}, {"temperature": 2.0}, {"network": "efficientnet_lite0"}):
        assert make_params(**{"image": "x", "network": "palette", **change}).stack_key(
            {}
        ) != params.stack_key({})
    assert make_params(dataset="x").stack_key({}) is None


def test_lanes() -> None:
    def lane(**values: Any) -> str:
        params = ClassifyParams.model_validate(values).resolve(SHIPPED)
        return SPEC.lane_of(params, SHIPPED.find(params.network))

    assert lane(image="x") == lane(images=["x"] * 8) == lane(image="x", crops="ten") == "short"
    assert lane(images=["x"] * 100) == lane(dataset="digits") == "long"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "image"),
        ({"image": "x", "dataset": "x"}, "dataset"),
        ({"image": "x", "network": "vgg19-random"}, "network"),
        ({"image": "x", "networks": ["palette", "vgg19-random"]}, "networks.1"),
        ({"image": "x", "networks": ["palette", "efficientnet_lite0"]}, "networks.1"),
        ({"image": "x", "networks": ["palette", "palette"]}, "networks.1"),
        ({"image": "x", "crops": "resize", "scales": [1, 2]}, "scales"),
        ({"dataset": "x", "figure": True}, "figure"),
    ],
)
def test_what_cannot_be_classified_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as error:
        ClassifyParams.model_validate(values).resolve(SHIPPED)
    assert error.value.field == field
