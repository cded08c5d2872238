"""What is kept for the jobs that follow: bounded, and without a trace in what they make."""

from io import BytesIO

import pytest
import torch
from PIL import Image
from torch import Tensor

from app.jobs.repository import get_artifact
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.loss_sums import make_loss_sum, rand
from tests.support.networks import make_convolutions
from tests.support.strange_pictures import noise
from tests.support.worker_context import add_picture, run, submit
from tests.worker.conftest import drawn
from worker.losses.loss_sum import LossSum
from worker.optim.kept import TARGETS, Kept, target_key
from worker.runtime import inputs
from worker.runtime.context import WorkerContext


def test_the_values_used_last_are_kept_within_the_bytes() -> None:
    kept: Kept[str] = Kept(10, 6, len)
    made: list[str] = []

    def get(value: str) -> str:
        def make() -> str:
            made.append(value)
            return value

        return kept.get(value, make)

    for value in ("aaaa", "bbbb", "aaaa", "cc", "dddd", "aaaa", "bbbb"):
        assert get(value) == value
    # The longest unused one made room; what is too large is made each time.
    assert made == ["aaaa", "bbbb", "cc", "dddd", "bbbb"]
    assert kept.bytes <= 10
    assert get("eeeeeee") == get("eeeeeee") == "eeeeeee"
    assert made[-2:] == ["eeeeeee"] * 2 and kept.bytes <= 10
    kept.clear()
    assert kept.bytes == 0


def test_a_key_has_all_that_targets_depend_on(network: Network) -> None:
    picture = drawn(20, 30, 1)
    key = target_key(network, picture, "rest")
    assert target_key(network, picture.clone(), "rest") == key
    darker = picture.clone()
    darker[0, 0, 0, 0] -= 1e-6
    others = [
        target_key(network, darker, "rest"),
        target_key(network, picture.double(), "rest"),
        target_key(network, picture.view(1, 3, 30, 20), "rest"),
        target_key(network, picture, "other"),
        target_key(network.with_pooling("max"), picture, "rest"),
        target_key(make_convolutions(torch.float64), picture, "rest"),
    ]
    assert len({key, *others}) == len(others) + 1
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert target_key(network, picture, "rest") != key
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("margin", [0, 4])
def test_targets_that_were_kept_are_the_same_bit_for_bit(network: Network, margin: int) -> None:
    content, style, picture = (rand(21, 18, seed, torch.float32) for seed in (5, 6, 7))

    def evaluate() -> tuple[Tensor, Tensor]:
        loss: LossSum = make_loss_sum(
            network, content, [style, content], {"relu2": 1.0}, {"relu1": 1.0, "conv3": 2.0}, margin=margin
        )
        evaluation = loss(picture)
        return evaluation.total, evaluation.gradient

    TARGETS.clear()
    first = evaluate()
    assert TARGETS.bytes > 0
    again = evaluate()
    TARGETS.clear()
    anew = evaluate()
    for other in (again, anew):
        assert torch.equal(other[0], first[0]) and torch.equal(other[1], first[1])


@pytest.mark.medium
def test_a_job_makes_the_same_picture_with_what_is_kept_and_without(context: WorkerContext) -> None:
    content, style = (add_picture(context, noise(seed=seed, size=(60, 40))) for seed in (1, 2))
    given = {"content": content, "style": [style], "size": 48, "steps": 4}

    def paint() -> bytes:
        job = submit(context, StyleTransferParams.model_validate(given).resolve(SHIPPED))
        run(context)
        found = get_artifact(context.engine, job.id, "image")
        assert found is not None
        with context.storage.open(found.key) as file:
            return Image.open(BytesIO(file.read())).tobytes()

    TARGETS.clear()
    inputs.DECODED.clear()
    first = paint()
    assert TARGETS.bytes > 0 and inputs.DECODED.bytes > 0
    assert paint() == first
