"""The lane of a kind's jobs."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.jobs import repository
from app.kinds import KINDS, KindSpec, all_lanes
from app.kinds.spec import lane_by_work
from app.networks.card import NetworkCard
from app.networks.catalogue import get_card
from app.settings import Settings
from tests.app.conftest import serving
from tests.support import fading
from tests.support.strange_pictures import noise


@pytest.mark.parametrize(
    ("multiply_adds", "lane"),
    [(0, "short"), (19_999_999_999, "short"), (2e10, "long"), (1e15, "long"), (None, "long")],
)
def test_less_than_a_second_of_work_is_short(multiply_adds: float | None, lane: str) -> None:
    assert lane_by_work(multiply_adds) == lane


def test_a_fixed_lane_is_that_of_every_job() -> None:
    spec = fading.SPEC
    assert (spec.fixed_lane, spec.lanes) == ("short", ("short",))
    assert spec.lane_of(fading.ResolvedFading(image="i", strength=1.0), None) == "short"


def by_strength(params: fading.ResolvedFading, card: NetworkCard | None) -> Any:
    assert card is None
    return "long" if params.strength == 1.0 else "short"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> KindSpec[Any]:
    """A kind whose jobs differ in their lane."""
    spec = replace(fading.SPEC, lane=by_strength)
    monkeypatch.setitem(KINDS, spec.name, spec)
    return spec


def test_a_job_keeps_the_lane_of_its_resolved_params(spec: KindSpec[Any], settings: Settings) -> None:
    assert (spec.fixed_lane, spec.lanes) == (None, ("short", "long"))
    assert {"short", "long"} <= set(all_lanes())
    with serving(settings) as client:
        (listed,) = [kind for kind in client.get("/v1/kinds").json()["items"] if kind["kind"] == "fading"]
        assert listed["lane"] is None
        assert [lane_of(client, params) for params in ("{}", '{"strength": 0.5}')] == ["long", "short"]


def lane_of(client: TestClient, params: str) -> str:
    answer = client.post(
        "/v1/fading",
        files={"image": noise()},
        data={"params": params},
        headers={"Prefer": "respond-async"},
    )
    services = client.app.state.services  # type: ignore[attr-defined]
    return repository.get_job(services.engine, answer.json()["id"]).lane


def test_what_decides_the_lane_gets_the_card_of_the_network() -> None:
    card = get_card("palette")
    seen: list[NetworkCard | None] = []

    def lane(params: fading.ResolvedFading, card: NetworkCard | None) -> Any:
        seen.append(card)
        return "long"

    spec = replace(fading.SPEC, lane=lane)
    assert spec.lane_of(fading.ResolvedFading(image="i", strength=1.0), card) == "long"
    assert seen == [card]
