"""Estimates: of what was measured here, or else of the reference machine; cheap for many jobs."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update

from app.database.engine import now, read, write
from app.http.services import Services
from app.jobs import history
from app.jobs.estimates import Estimator
from app.jobs.history import Reference, pace_of
from app.jobs.params import parse_params
from app.jobs.tables import IS_SUCCEEDED, jobs
from app.kinds import KINDS, Params
from app.networks.catalogue import SHIPPED, get_card
from app.workers import repository as workers
from benchmarks.estimates import CASES
from tests.app.conftest import upload

REFERENCE = Reference(
    machine="known",
    command="none",
    worker_bytes=1_000_000,
    seconds_per_work={"style_transfer": {"palette": 1e-11}, "train": {"cnn": 1e-10}},
)


@pytest.fixture(autouse=True)
def reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.history._reference", lambda: REFERENCE)


def style(**params: Any) -> dict[str, Any]:
    return {"kind": "style_transfer", "params": {"size": 64, "steps": 10, **params}}


def resolved(**params: Any) -> Params:
    given = {"content": "0" * 8, "style": ["1" * 8], **style(**params)["params"]}
    return parse_params("style_transfer", given, SHIPPED)


def estimated(client: TestClient, body: dict[str, Any]) -> Any:
    answer = client.post("/v1/estimate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ran(services: Services, params: Params, seconds: float, **values: Any) -> None:
    """A job of these params that succeeded here in so many seconds."""
    job, _ = services.jobs.submit(params)
    ended = {"state": "succeeded", "attempt": 1, "finished_at": now(), "result": {"compute_seconds": seconds}}
    with write(services.engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values({**ended, **values}))


def test_every_case_that_the_reference_is_made_of_is_a_job() -> None:
    for case in CASES:
        params = case.resolve()
        need = params.network_need()
        assert params.work(None if need is None else get_card(need.name), 100), case


def test_the_reference_that_is_shipped_can_be_read() -> None:
    shipped = Reference.model_validate_json(history.REFERENCE.read_bytes())
    assert shipped.worker_bytes > 100_000_000 and set(shipped.seconds_per_work) <= set(KINDS)
    assert 0 < shipped.seconds_per_work["style_transfer"]["palette"] < 1e-9


def test_without_jobs_that_ended_here_it_is_the_reference(client: TestClient) -> None:
    work = resolved().work(get_card("palette"), 0)
    assert work is not None
    found = estimated(client, style())
    assert found["basis"] == "reference" and found["seconds"] == pytest.approx(work * 1e-11, rel=0.01)
    weights = 4 * get_card("palette").parameters
    assert found["memory_bytes"] > REFERENCE.worker_bytes + weights
    assert estimated(client, style(network="vgg19-random"))["basis"] == "reference"
    # Of nothing like it a figure is known.
    unlike = estimated(client, {"kind": "gradient_check", "params": {"architecture": "linear"}})
    assert (unlike["seconds"], unlike["memory_bytes"], unlike["basis"]) == (None, None, None)
    alike, other = (
        estimated(
            client, {"kind": "train", "params": {"dataset": "digits", "architecture": name, "preset": preset}}
        )
        for name, preset in (("cnn", "from-scratch"), ("resnet18", "from-scratch"))
    )
    # The set has not been made yet, so that nobody knows how many pictures it has.
    assert alike["seconds"] is None and other["seconds"] is None


def test_it_refuses_what_a_job_would_be_refused_for(client: TestClient, image_id: str) -> None:
    for body, field in (
        (style(size=-1), "size"),
        (style(strokes=3), "strokes"),
        (style(content="0198c0de-0000-7000-8000-000000000000"), "content"),
        (style(network="nobody"), "network"),
        ({"kind": "sculpture", "params": {}}, "kind"),
        ({"kind": "evaluate", "params": {"dataset": "nothing"}}, "dataset"),
        ({"kind": "classify", "params": {"image": image_id, "images": [image_id]}}, "images"),
    ):
        answer = client.post("/v1/estimate", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["field"] == field
    assert client.get("/v1/jobs").json()["items"] == []
    # A picture of 4:3 takes less than a square, which is what one that is not known counts as.
    shaped, square = estimated(client, style(content=image_id)), estimated(client, style())
    assert shaped.pop("memory_bytes") < square.pop("memory_bytes")
    assert shaped == square
    assert estimated(client, {"kind": "classify", "params": {}})["memory_bytes"] > 0


def test_it_is_the_median_of_jobs_like_it_that_ended_here(client: TestClient, services: Services) -> None:
    picture = upload(client).json()["id"]
    known = {"content": picture, "style": [picture]}
    ran(services, resolved(**known, network="vgg19-random"), 50.0)
    # Another network is better than another machine.
    assert estimated(client, style())["basis"] == "here"
    for seconds in (3.0, 1.0, 2.0):
        ran(services, resolved(**known), seconds)
    # One that went on from a checkpoint, or ended early, says too little.
    ran(services, resolved(**known), 0.001, attempt=2)
    ran(services, resolved(**known), 0.001, finish_requested_at=now())
    ran(services, resolved(**known), 0.001, state="failed")
    assert estimated(client, style()) | {"memory_bytes": 0} == {
        "seconds": 2.0,
        "memory_bytes": 0,
        "basis": "here",
    }
    once, more = (resolved(steps=steps).work(get_card("palette"), 0) for steps in (10, 20))
    assert once is not None and more is not None
    assert estimated(client, style(steps=20))["seconds"] == pytest.approx(2.0 * more / once, rel=0.01)
    assert estimated(client, style(network="vgg19-random"))["seconds"] == pytest.approx(50.0, rel=0.01)
    # Only the last 20 count.
    for _ in range(20):
        ran(services, resolved(**known), 8.0)
    assert estimated(client, style())["seconds"] == 8.0


def test_many_jobs_are_the_sum_of_their_seconds_and_the_most_of_their_memory(
    client: TestClient, services: Services
) -> None:
    small, large = resolved(), resolved(size=512)
    alone = []
    for params in (small, large):
        one = Estimator(services.engine)
        one.add(params)
        alone.append(one.estimate())
    workers.register(services.engine, worker_id="w", lanes=["long"], device="cpu", host="h", pid=1)
    workers.register(services.engine, worker_id="s", lanes=["short"], device="cpu", host="h", pid=2)
    many = Estimator(services.engine)
    for place in range(300):
        many.add(resolved(content=f"{place:08}"))
    many.add(large)
    found = many.estimate()
    assert alone[0].seconds is not None and alone[1].seconds is not None
    assert found.seconds == pytest.approx(300 * alone[0].seconds + alone[1].seconds, rel=0.02)
    assert found.memory_bytes == alone[1].memory_bytes
    assert many.by_kind == {"style_transfer": 301} and many.workers() == 1
    # One whose time nobody knows leaves the whole unknown.
    many.add(parse_params("gradient_check", {"architecture": "linear"}, SHIPPED))
    assert many.estimate().seconds is None and many.estimate().basis is None
    assert Estimator(services.engine).estimate().seconds is None


def test_the_pace_is_found_by_an_index(services: Services) -> None:
    pace = pace_of(services.engine, "style_transfer", resolved(), "palette")
    assert pace is not None and pace.basis == "reference"
    query = select(jobs.c.id).where(jobs.c.kind == "a", IS_SUCCEEDED, jobs.c.network == "b")
    compiled = query.order_by(jobs.c.network.desc(), jobs.c.finished_at.desc()).limit(3).compile()
    with read(services.engine) as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"), compiled.params).all()
    assert "ix_jobs_measured" in str(plan) and "TEMP B-TREE" not in str(plan)
