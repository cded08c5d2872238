"""Workers that die while they register a network: it is there once, whenever they do."""

from pathlib import Path

import pytest

from app.networks.repository import list_networks
from tests.faults.conftest import Deploy, by_turns, mostly
from tests.support.deployment import Deployment, Mode, kill
from tests.support.extra_kinds import with_kind
from tests.support.memorizing import DEADLY
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]


def learn(service: Deployment, **params: object) -> str:
    job = service.request("POST", "/v1/jobs", json={"kind": "memorizing", "params": params})
    return str(job["id"])


def weights(service: Deployment) -> list[str]:
    folder = service.data_dir / "files" / "networks"
    return [path.name for path in folder.rglob("*") if path.is_file()]


@by_turns(("moment", "attempts"), [("stored", 2), ("registered", 1)])
def test_a_worker_killed_around_the_registration(
    deploy: Deploy, mode: Mode, tmp_path: Path, moment: str, attempts: int
) -> None:
    deadly = tmp_path / "deadly"
    deadly.write_text(moment)
    service = deploy(
        mode, **with_kind("memorizing", tmp_path), IMPASTO_LANES="short", **{DEADLY: str(deadly)}
    )
    job = service.wait_for_job(learn(service), "succeeded", "failed")
    assert (job["state"], job["attempt"], job["result"]["network"]) == ("succeeded", attempts, "learned")
    assert not deadly.exists()
    (network,) = list_networks(service.engine)
    assert network.card.name == "learned" and service.fetch("/v1/networks/learned/export")
    # The next one is another network, and one worker sees what the other has made.
    second = service.wait_for_job(learn(service, seed=2), "succeeded", "failed")
    assert second["result"]["network"] == "learned-2"
    wait_for(lambda: sorted(weights(service)) == sorted(["1.safetensors", f"{attempts}.safetensors"]))
    image = service.upload(1)
    seen = service.request("POST", "/v1/saliency", json={"image": image, "network": "learned"})
    assert service.wait_for_job(seen["id"], "succeeded", "failed")["state"] == "succeeded"


@mostly("embedded")
def test_a_job_that_is_lost_after_the_weights_were_stored_leaves_nothing(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    deadly = tmp_path / "deadly"
    deadly.write_text("stored")
    settings = {"IMPASTO_MAX_ATTEMPTS": "1", DEADLY: str(deadly)}
    service = deploy(mode, **with_kind("memorizing", tmp_path), IMPASTO_LANES="short", **settings)
    job = service.wait_for_job(learn(service), "succeeded", "failed")
    assert (job["state"], job["error"]["type"]) == ("failed", "worker_lost")
    assert list_networks(service.engine) == []
    wait_for(lambda: weights(service) == [])


@mostly("celery")
def test_what_was_told_to_finish_does_so_although_its_worker_is_killed(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    service = deploy(
        mode, **with_kind("memorizing", tmp_path), IMPASTO_LANES="short", IMPASTO_CHECKPOINT_SECONDS="0.3"
    )
    job_id = learn(service, steps=10_000, pause=5)
    wait_for(lambda: service.job(job_id).started_at)
    kill(service.worker_of(job_id))
    asked = service.request("POST", f"/v1/jobs/{job_id}/finish")
    assert asked["finish_requested"]
    job = service.wait_for_job(job_id, "succeeded", "failed")
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert job["result"]["steps"] <= 2 and len(list_networks(service.engine)) == 1
