"""Real results of every kind are what its model says: no entry less, no entry more."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from app.datasets.service import DatasetService
from app.jobs.filling import make_built_in
from app.jobs.job import Job
from app.jobs.params import parse_params
from app.jobs.states import State
from app.kinds import KINDS, Params
from app.networks.catalogue import SHIPPED, get_card
from models.network import Network
from tests.support.learning import TINY, colored, members_of
from tests.support.mirror import mirror
from tests.support.published import NAME, pin, published_file
from tests.support.strange_pictures import noise
from tests.support.worker_context import add_picture, job_service, queue_import, run, submit
from tests.support.zips import class_folders, zipped
from tests.worker.conftest import drawn
from tests.worker.test_devices import CASES, name_of
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member, Source
from worker.contract.steps import run_steps
from worker.media.pictures import Picture
from worker.networks.loading import NetworkLoader, further_networks, network_for
from worker.runtime.context import WorkerContext
from worker.runtime.functions import steps_of
from worker.runtime.recipes import make_recipe

Json = Mapping[str, Any]

LOADER = NetworkLoader()
CPU = Compute(torch.device("cpu"))
SEVERAL = ["palette", "efficientnet_lite0"]
# One that starts dead is of use only where nothing but the device counts.
ALIVE = [(kind, asked) for kind, asked in CASES if asked.get("target") != ["tabby"]]
SHOTS = {"base": "palette", "size": 16, "preset": "quick", "dataset": "d"}

# What those that try devices leave out: several variations, sets, comparisons, trainings.
MORE: list[tuple[str, Json]] = [
    ("texture_synthesis", {"image": "i", "size": 64, "steps": 2, "variations": 2}),
    ("deep_dream", {"image": "i", "size": 72, "octaves": 1, "steps": 1, "variations": 2}),
    ("adversarial", {"image": "i", "size": 48, "steps": 2, "variations": 2}),
    ("adversarial", {"method": "fooling", "target": "spiral", "size": 48, "steps": 2, "variations": 2}),
    ("adversarial", {"method": "linear", "target": "gear", "against": "spiral"}),
    (
        "saliency",
        {"image": "i", "network": "palette", "size": 64, "methods": ["gradient"], "layer": "logits"},
    ),
    ("classify", {"dataset": "d", "network": "palette", "size": 48}),
    ("classify", {"dataset": "d", "networks": SEVERAL, "ensemble": "compare", "size": 64}),
    ("classify", {"image": "i", "networks": SEVERAL, "ensemble": "compare", "size": 64}),
    ("embedding", {"dataset": "d", "network": "palette", "size": 48, "probe": True, "image": "i"}),
    ("embedding", {"dataset": "d", "network": "palette", "size": 48, "method": "pca"}),
    ("gradient_check", {"architecture": "mlp", "size": 8, "samples": 5}),
    (
        "learning_rate_range",
        {"dataset": "digits", "architecture": "linear", "size": 8, "batch_size": 8, "optimizer": "sgd"},
    ),
    *(
        ("train", {**TINY, **change})
        for change in (
            {},
            {"find_learning_rate": True},
            {"restarts": 2},
            {"folds": 2},
            {"search": {"learning_rate": [0.1, 0.01], "size": [8, 10]}},
        )
    ),
    ("train", {**SHOTS, "feature_layer": "pool3", "compare_layers": ["relu1_1"]}),
    ("train", {**SHOTS, "transfer": "svm", "feature_layer": "relu3_1"}),
]
STORED = {"import_members", "make_dataset", "pull_weights"}


def check(kind: str, result: object) -> None:
    """Hold a result against the model of its kind; what the model does not know is not there afterwards."""
    text = json.dumps(result)
    read = KINDS[kind].result.model_validate_json(text, strict=True)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == json.loads(text)


def given_to(params: Params) -> Inputs:
    """Pictures, and as a set pictures of two classes of palette, or in three colors to learn."""
    picture = Picture(drawn(96, 128, 1))
    pictures = {name: [Source("", lambda: picture)] * len(refs) for name, refs in params.pictures().items()}
    learns = "architecture" in type(params).model_fields
    members = members_of(colored(30)) if learns else _labelled()
    return Inputs(pictures, dict.fromkeys(params.datasets(), members), cards={"palette": get_card("palette")})


def _labelled() -> list[Member]:
    def member(place: int) -> Member:
        shown: Tensor = drawn(96, 128, place)
        label = ("zebra", "maze")[place % 2]
        return Member(Source("", lambda: Picture(shown)), label, f"{place}.png")

    return [member(place) for place in range(24)]


@pytest.mark.medium
@pytest.mark.parametrize(("kind", "asked"), [*ALIVE, *MORE], ids=name_of)
def test_a_result_is_what_its_model_says(kind: str, asked: Json) -> None:
    params = parse_params(kind, dict(asked), SHIPPED)
    inputs = given_to(params)
    inputs.networks.update(further_networks(params, CPU, LOADER))
    network: Network | None = network_for(params, CPU, LOADER)
    outcome = run_steps(steps_of(params, inputs, network, CPU))
    recipe = make_recipe(params, inputs, network, CPU)
    check(kind, {**outcome.result, "compute_seconds": 0.5, "recipe": recipe})


def stored(job: Job) -> Any:
    """The result of a job that has succeeded, as it is stored."""
    assert job.state is State.SUCCEEDED, job.error
    return job.result


@pytest.mark.medium
def test_so_is_what_is_stored_of_a_picture(context: WorkerContext) -> None:
    asked = {"image": add_picture(context, noise()), "network": "palette"}
    submit(context, parse_params("classify", asked, SHIPPED))
    check("classify", stored(run(context)))


@pytest.mark.medium
def test_so_is_what_is_stored_of_sets(context: WorkerContext) -> None:
    queue_import(context, zipped(class_folders(cat=2, dog=1) | {"cat/broken.png": b"", "notes.txt": b"a"}))
    check("import_members", stored(run(context)))
    datasets = DatasetService(context.settings, context.engine, context.storage)
    make_built_in(job_service(context), datasets, "palette", "drawn", {"count": 1, "size": 32})
    check("make_dataset", stored(run(context)))


@pytest.mark.medium
def test_so_is_what_is_stored_of_weights(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, published_file())
    with mirror(published_file()) as served:
        settings = context.settings.model_copy(update={"weights_mirror": served.url})
        there = replace(context, settings=settings)
        submit(there, parse_params("pull_weights", {"network": NAME}, SHIPPED))
        check("pull_weights", stored(run(there)))


def test_every_kind_is_tried() -> None:
    assert {kind for kind, _ in [*ALIVE, *MORE]} | STORED == set(KINDS)
