"""What a person does with jobs, embedded and over Celery: the same tests, the same answers."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.deployment import MODES, Deployment, deployed, pixels_of, shown_logs
from tests.support.postgres import PostgresServer
from tests.support.service import wait_for
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

# More steps than anybody waits for: it runs until it is told not to.
LONG = 20_000


@pytest.fixture(scope="module", params=MODES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp(request.param)
    try:
        if request.param == "embedded":
            with shown_logs(deployed("embedded", folder, None, IMPASTO_LANES="short,long")) as service:
                yield service
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            # Nothing is trained here.
            with shown_logs(deployed("celery", folder, server, IMPASTO_LANES="short,long")) as service:
                yield service
    except FileNotFoundError as error:
        pytest.skip(str(error))


def read_events(service: Deployment, path: str, **headers: str) -> list[dict[str, Any]]:
    """The events of a stream, to its end."""
    with httpx.stream("GET", service.url + path, headers=headers, timeout=120, trust_env=False) as response:
        assert response.status_code == 200
        return [json.loads(line[6:]) | {"type": kind} for kind, line in _lines(response)]


def _lines(response: httpx.Response) -> Iterator[tuple[str, str]]:
    kind = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            kind = line[7:]
        if line.startswith("data: "):
            yield kind, line


def test_a_picture_is_painted(service: Deployment) -> None:
    job_id = service.paint(size=48, steps=3)
    job = service.wait_for_job(job_id, "succeeded", "failed")
    assert job["state"] == "succeeded", job
    assert {artifact["name"] for artifact in job["artifacts"]} == {"image", "recipe"}
    assert max(service.pixels(job_id).shape) == 48
    assert job["progress"]["done"] == job["progress"]["total"] == 3
    service.check_made_once(job_id)


def test_progress_and_a_preview_are_seen_while_it_runs(service: Deployment) -> None:
    job_id = service.paint(size=48, steps=LONG)
    kinds = set()
    path = f"{service.url}/v1/jobs/{job_id}/events"
    with httpx.stream("GET", path, timeout=120, trust_env=False) as response:
        for kind, line in _lines(response):
            kinds.add(kind)
            if kind == "preview":
                url = json.loads(line[6:])["url"]
                assert pixels_of(service.fetch(url)).shape[2] == 3
            if {"progress", "preview"} <= kinds:
                break
    service.request("POST", f"/v1/jobs/{job_id}/cancel")
    assert service.wait_for_job(job_id, "succeeded", "failed", "cancelled")["state"] == "cancelled"


def test_a_stream_tells_the_whole_life_and_ends(service: Deployment) -> None:
    job_id = service.paint(size=48, steps=5)
    events = read_events(service, f"/v1/jobs/{job_id}/events")
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert [e["state"] for e in events if e["type"] == "state"] == ["queued", "running"]
    assert [e["state"] for e in events if e["type"] == "done"] == ["succeeded"]
    assert events[-1]["type"] == "done"


def test_one_stream_tells_of_several_jobs(service: Deployment) -> None:
    job_ids = [service.paint(size=32, steps=2) for _ in range(3)]
    events = read_events(service, f"/v1/events?jobs={','.join(job_ids)}")
    assert sorted(e["job_id"] for e in events if e["type"] == "done") == sorted(job_ids)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_soon(service: Deployment) -> None:
    running = service.paint(size=48, steps=LONG)
    service.wait_for_job(running, "running")
    queued = service.paint(size=48, steps=LONG)
    assert service.request("POST", f"/v1/jobs/{queued}/cancel")["state"] == "cancelled"
    service.request("POST", f"/v1/jobs/{running}/cancel")
    assert service.wait_for_job(running, "succeeded", "failed", "cancelled")["state"] == "cancelled"
    assert service.wait_for_job(service.paint(size=32, steps=1), "succeeded")
    assert service.job(queued).attempt == 0


def test_a_paused_job_lets_others_by_and_goes_on_later(service: Deployment) -> None:
    job_id = service.paint(size=48, steps=120)
    service.wait_for_progress(job_id)
    service.request("POST", f"/v1/jobs/{job_id}/pause")
    paused = service.wait_for_job(job_id, "queued")
    assert service.job(job_id).checkpoint is not None
    assert service.wait_for_job(service.paint(size=32, steps=1), "succeeded")
    assert service.job(job_id).attempt == paused["attempt"]
    service.request("POST", f"/v1/jobs/{job_id}/resume")
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    service.check_made_once(job_id)


def test_a_job_is_done_again_by_a_new_one(service: Deployment) -> None:
    first = service.paint(size=32, steps=2)
    service.wait_for_job(first, "succeeded")
    again = service.request("POST", f"/v1/jobs/{first}/retry")
    assert again["retry_of"] == first
    service.wait_for_job(again["id"], "succeeded")
    assert (service.pixels(first) == service.pixels(again["id"])).all()


def test_a_request_can_wait_for_the_end(service: Deployment) -> None:
    response = httpx.post(
        f"{service.url}/v1/style-transfer",
        headers={"Prefer": "wait=120"},
        files={"content": ("content.png", noise(seed=1)), "style": ("style.png", noise(seed=2))},
        data={"params": json.dumps({"size": 32, "steps": 2})},
        timeout=180,
        trust_env=False,
    )
    assert response.status_code == 200, response.text
    assert response.json()["state"] == "succeeded"


def test_a_picture_is_classified_in_the_same_call(service: Deployment) -> None:
    files = {"image": ("noise.png", noise(size=(64, 64)))}
    job = service.request("POST", "/v1/classify", files=files, headers={"Prefer": "wait=60"})
    assert job["state"] == "succeeded", job
    result = job["result"]
    assert (result["network"], len(result["top"])) == ("efficientnet_lite0", 5)
    several = [("images", (f"{seed}.png", noise(size=(64, 64), seed=seed))) for seed in range(3)]
    job = service.request("POST", "/v1/classify", files=several, headers={"Prefer": "wait=60"})
    assert job["state"] == "succeeded", job
    first = job["result"]["pictures"][0]["top"]
    assert [row["index"] for row in first] == [row["index"] for row in result["top"]]


def test_a_deleted_job_is_gone_with_its_files(service: Deployment) -> None:
    job_id = service.paint(size=32, steps=2)
    service.wait_for_job(job_id, "succeeded")
    service.check_made_once(job_id)
    service.request("DELETE", f"/v1/jobs/{job_id}")
    assert not service.answers(f"/v1/jobs/{job_id}")
    assert service.files_of(job_id) == set()


def test_an_urgent_job_goes_first(service: Deployment) -> None:
    running = service.paint(size=48, steps=LONG)
    service.wait_for_job(running, "running")
    params = {"content": service.upload(1), "style": service.upload(2), "size": 32, "steps": 1}
    body = {"kind": "style_transfer", "params": params}
    late, urgent = (
        service.request("POST", "/v1/jobs", json=body, headers={"Impasto-Priority": urgency})["id"]
        for urgency in ("background", "7")
    )
    service.request("POST", f"/v1/jobs/{running}/cancel")
    service.wait_for_job(late, "succeeded")
    started = [service.job(job_id).started_at for job_id in (urgent, late)]
    assert started[0] is not None and started[1] is not None and started[0] < started[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "service", [pytest.param("embedded", marks=pytest.mark.long), "celery"], indirect=True, scope="module"
)
def test_jobs_start_in_the_same_order_in_both_modes(service: Deployment) -> None:
    """One worker, that is restarted while a job runs; some were paused, cancelled or of a batch."""
    names = {service.paint(size=48, steps=LONG): "released"}
    (released,) = names
    service.wait_for_progress(released)
    params = {"content": service.upload(1), "style": service.upload(2), "size": 32, "steps": 1}

    def submit(name: str, **headers: str) -> str:
        body = {"kind": "style_transfer", "params": params}
        job_id = str(service.request("POST", "/v1/jobs", json=body, headers=headers)["id"])
        names[job_id] = name
        return job_id

    paused, cancelled = submit("paused"), submit("cancelled")
    matrix = {"kind": "style_transfer", "params": params, "over": {"seed": [1, 2, 3]}}
    batch = service.request("POST", "/v1/batches?reproducible=true", json=matrix)["id"]
    wait_for(lambda: len(entries(service, batch)) == 3)
    names |= {job["id"]: f"entry {job['batch_line']}" for job in entries(service, batch)}
    submit("first")
    submit("urgent", **{"Impasto-Priority": "urgent"})
    submit("second")
    service.request("POST", f"/v1/jobs/{paused}/pause")
    service.request("POST", f"/v1/jobs/{cancelled}/cancel")
    service.terminate()
    service.start()
    service.wait_for_progress(released, attempt=2)
    service.request("POST", f"/v1/jobs/{paused}/resume")
    submit("last")
    service.request("POST", f"/v1/jobs/{released}/cancel")
    for job_id in names:
        service.wait_for_row(job_id, "succeeded", "cancelled")
    starts = sorted(
        (event.created_at, names[job_id])
        for job_id in names
        for event in service.events(job_id)
        if event.type == "state" and event.data["state"] == "running" and not event.data["cancel_requested"]
    )
    # A batch begins a turn after single jobs, of which 16 have their place in a turn.
    assert [name for _, name in starts] == [
        *("released", "urgent", "released", "paused", "first", "second", "last"),
        *("entry 1", "entry 2", "entry 3"),
    ]


def entries(service: Deployment, batch: str) -> list[dict[str, Any]]:
    """The jobs of a batch."""
    found: list[dict[str, Any]] = service.request("GET", f"/v1/jobs?batch={batch}")["items"]
    return found


def test_a_batch_is_followed_and_fetched(service: Deployment) -> None:
    contents, styles = ([service.upload(seed) for seed in seeds] for seeds in (range(3), range(3, 5)))
    matrix = {
        "kind": "style_transfer",
        "params": {"size": 32, "steps": 2},
        "over": {"content": contents, "style": styles},
    }
    batch = service.request("POST", "/v1/batches", json=matrix)
    path = f"/v1/batches/{batch['id']}"
    events = read_events(service, f"{path}/events")
    entries = [event for event in events if event["type"] == "entry"]
    told = [(event["line"], event["state"]) for event in entries]
    assert len(set(told)) == len(told)
    ends = {event["line"]: event for event in entries if event["state"] == "succeeded"}
    assert ends.keys() == set(range(1, 7))
    assert {"image", "recipe"} == {artifact["name"] for artifact in ends[6]["artifacts"]}
    assert events[0]["type"] == "state" and events[-1]["type"] == "done"
    assert events[-1]["state"] == "succeeded" and events[-1]["counts"]["succeeded"] == 6
    view = service.request("GET", path)
    assert view["state"] == "succeeded" and view["counts"] == events[-1]["counts"]
    assert [sample["line"] for sample in view["samples"]] == [1, 2, 4, 6]
    results = [json.loads(line) for line in service.fetch(f"{path}/results").splitlines()]
    assert [line["line"] for line in results] == [1, 2, 3, 4, 5, 6]
    assert all(line["job_id"] == ends[line["line"]]["job_id"] for line in results)
    assert service.fetch(f"{path}/errors") == b""
    with zipfile.ZipFile(io.BytesIO(service.fetch(f"{path}/archive"))) as archive:
        assert archive.testzip() is None
        for line in results:
            (image,) = [artifact for artifact in line["artifacts"] if artifact["name"] == "image"]
            assert archive.read(f"{line['custom_id']}.png") == service.fetch(image["url"])
        assert len(archive.namelist()) == 6 + 2
    assert pixels_of(service.fetch(f"{path}/contact-sheet")).shape[2] == 3
