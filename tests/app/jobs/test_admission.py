"""Jobs that cannot fit into the memory of a worker are refused when they are sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.jobs.admission import memory_of, refusal, shape_of, spending_within
from app.jobs.params import parse_params
from app.kinds import Params
from app.kinds.work import SPENDINGS
from app.networks.catalogue import SHIPPED, get_card
from app.settings import Settings
from app.workers.memory import _limits_of_cgroups, host_memory, known_memory
from tests.app.conftest import serving, upload
from tests.support.strange_pictures import plain

GIB = 1 << 30


@pytest.fixture
def small(settings: Settings) -> Iterator[TestClient]:
    """A service whose workers have 3 GiB."""
    with serving(settings.model_copy(update={"worker_memory_bytes": 3 * GIB})) as client:
        yield client


def style(**params: Any) -> Params:
    return parse_params("style_transfer", {"content": "0" * 8, "style": ["1" * 8], **params}, SHIPPED)


def test_smaller_tiles_and_a_shorter_history_make_more_fit() -> None:
    cards = [get_card("palette")]
    needs = [memory_of(style(size=4096), cards, 0.75, one) for one in SPENDINGS]
    assert needs == sorted(needs, reverse=True)
    # What is refused beside what begins in small tiles, and what does as usual.
    assert spending_within(style(size=2048), cards, 0.75, 3 * GIB) in SPENDINGS[1:]
    assert spending_within(style(size=4096), cards, 0.75, 3 * GIB) == SPENDINGS[0]
    assert spending_within(style(size=1024), cards, 0.75, 3 * GIB) == SPENDINGS[0]
    assert refusal(style(size=4096), cards, 0.75, 3 * GIB) is None
    refused = refusal(style(size=8192), cards, 0.75, 3 * GIB)
    assert refused is not None and refused.field == "size"
    fits = int(refused.detail.rsplit(" ", 1)[1].rstrip("."))
    assert refusal(style(size=fits), cards, 0.75, 3 * GIB) is None
    assert refusal(style(size=fits + 8), cards, 0.75, 3 * GIB) is not None
    # A narrower picture of that size is smaller.
    assert refusal(style(size=8192), cards, 0.25, 3 * GIB) is None


def test_no_size_may_fit() -> None:
    refused = refusal(style(size=64), [get_card("palette")], 1.0, 1)
    assert refused is not None and "no size fits" in refused.detail
    asked = parse_params("classify", {"image": "0" * 8}, SHIPPED)
    assert refusal(asked, [get_card("palette")], 1.0, 64 * GIB) is None


def test_the_shape_is_that_of_the_content() -> None:
    params = style(size=64)
    assert shape_of(params, {"0" * 8: (300, 400), "1" * 8: (10, 10)}) == 0.75
    assert shape_of(params, {}) is None
    assert shape_of(parse_params("class_visualization", {"target": "spiral"}, SHIPPED), {}) == 1.0


@pytest.mark.medium
def test_it_is_refused_alone_in_a_batch_and_in_an_estimate(small: TestClient) -> None:
    picture = upload(small, plain()).json()["id"]
    params = {"content": picture, "style": [picture], "size": 8192, "steps": 10}
    body = {"kind": "style_transfer", "params": params}
    for path in ("/v1/jobs", "/v1/estimate"):
        answer = small.post(path, json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, "size"), answer.text
        assert "largest size that fits is" in answer.text
    lines = [{**body, "custom_id": str(size), "params": {**params, "size": size}} for size in (8192, 64)]
    tried = small.post(
        "/v1/batches?dry_run=true&errors=skip",
        content="\n".join(map(json.dumps, lines)),
        headers={"Content-Type": "application/x-ndjson"},
    ).json()
    assert (tried["lines"], tried["wrong"]) == (2, 1)
    assert (tried["problems"][0]["line"], tried["problems"][0]["field"]) == (1, "size")
    assert small.post("/v1/jobs", json={**body, "params": {**params, "size": 64}}).status_code == 202


def test_only_a_service_that_knows_its_workers_refuses(settings: Settings) -> None:
    def known(**changes: Any) -> int | None:
        return known_memory(settings.model_copy(update=changes))

    assert known(device="cpu") == host_memory() > 100_000_000
    assert known(device="cuda:0") is None
    assert known(device="cpu", redis_url="redis://elsewhere") is None
    assert known(device="cuda:0", redis_url="redis://elsewhere", worker_memory_bytes=5) == 5


def test_a_container_has_what_its_cgroup_has(tmp_path: Path) -> None:
    listed = tmp_path / "cgroup"
    listed.write_text("0::/jobs/one\n")
    inner = tmp_path / "jobs" / "one"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text("3000\n")
    assert _limits_of_cgroups(listed, tmp_path) == [3000]
    listed.write_text("4:cpu:/\n3:memory:/\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2000\n")
    assert _limits_of_cgroups(listed, tmp_path) == [2000]
    assert _limits_of_cgroups(tmp_path / "none", tmp_path) == []
