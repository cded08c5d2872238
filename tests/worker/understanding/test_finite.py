"""Networks of finite weights whose activations are not: no job shows what comes of them."""

import io
from typing import Any

import pytest

from app.jobs.params import parse_params
from app.jobs.states import State
from app.networks import service
from app.networks.catalogue import Catalogue
from tests.support import strange_pictures as strange
from tests.support.network_files import network_file, small_network
from tests.support.worker_context import add_picture, queue_import, run, run_lanes, submit
from tests.support.zips import class_folders, zipped
from worker.runtime.context import WorkerContext

# A float32 has no such number.
TOO_LARGE = {"mean": [1e300] * 3}

OF_A_PICTURE: list[tuple[str, dict[str, Any]]] = [
    ("saliency", {"methods": ["gradient"]}),
    ("saliency", {"methods": ["gradient"], "layer": "relu2_2"}),
    ("class_map", {}),
    ("activations", {}),
]
OF_A_SET: list[tuple[str, dict[str, Any]]] = [
    ("embedding", {"size": 32}),
    ("max_patches", {"layer": "relu2_2", "size": 32}),
]


@pytest.fixture
def overflowing(context: WorkerContext) -> WorkerContext:
    """Has the network ``small``, for which every picture is too dark for numbers."""
    data = network_file(small_network(), card=TOO_LARGE)
    service.add_network(context.engine, context.storage, io.BytesIO(data), len(data))
    return context


def require_failure(context: WorkerContext, kind: str, asked: dict[str, Any]) -> None:
    submit(context, parse_params(kind, asked, Catalogue(context.engine)))
    failed = run_lanes(context, "long", "short", "training")
    assert failed.state is State.FAILED and failed.error is not None
    assert failed.error["type"] == "computation", failed.error
    assert "small computes of a picture is not finite" in failed.error["detail"]


@pytest.mark.parametrize(("kind", "asked"), OF_A_PICTURE)
def test_a_look_at_a_picture_fails(overflowing: WorkerContext, kind: str, asked: dict[str, Any]) -> None:
    picture = add_picture(overflowing, strange.noise(size=(64, 64)))
    require_failure(overflowing, kind, {"image": picture, "network": "small", **asked})


@pytest.mark.medium
def test_a_look_at_a_set_and_a_training_fail(overflowing: WorkerContext) -> None:
    queue_import(overflowing, zipped(class_folders(ant=4, bee=4)), "ants")
    assert run(overflowing).state is State.SUCCEEDED
    for kind, asked in OF_A_SET:
        require_failure(overflowing, kind, {"dataset": "ants", "network": "small", **asked})
    for transfer in ("svm", "head"):
        asked = {"dataset": "ants", "base": "small", "transfer": transfer, "size": 32}
        require_failure(overflowing, "train", asked)
