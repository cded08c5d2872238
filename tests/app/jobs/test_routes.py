"""Jobs over REST: submit in every way, refuse what is wrong, list, cancel."""

import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.database.engine import write
from app.database.ids import new_id
from app.http.services import Services
from app.jobs import claims, repository
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.kinds import KINDS, all_lanes
from app.kinds.style_presets import PRESETS
from app.settings import Settings
from app.workers import repository as workers
from tests.app.conftest import serving
from tests.support import memorizing
from tests.support import strange_pictures as strange
from tests.support.claiming import claim_by_id

URL = "/v1/style-transfer"


def test_a_job_stores_what_it_resolved_to(client: TestClient, image_id: str) -> None:
    answer = client.post(URL, json={"content": image_id, "style": image_id, "size": 256})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["seq"], job["kind"]) == ("queued", 1, "style_transfer")
    params = job["params"]
    preset = PRESETS["impasto"]
    assert params["style"] == [image_id] and params["style_weights"] == [1.0]
    assert params["steps"] == preset.steps and params["style_layers"] == preset.style_layers
    empty = {name for name, value in params.items() if value is None}
    masks = {"style_masks", "content_mask", "content_weight_map"}
    assert empty == {"init_image", "continue_from", "style_scales", "style_size", "fine_style", *masks}
    assert client.get(answer.headers["location"]).json() == job


def test_any_kind_goes_through_jobs(client: TestClient, image_id: str) -> None:
    params = {"content": image_id, "style": [image_id, image_id], "style_weights": [1, 3]}
    answer = client.post("/v1/jobs", json={"kind": "style_transfer", "params": params})
    assert answer.status_code == 202 and answer.json()["params"]["style_weights"] == [1.0, 3.0]
    unknown = client.post("/v1/jobs", json={"kind": "sculpture", "params": {}})
    assert unknown.status_code == 422 and unknown.json()["field"] == "kind"
    assert "style_transfer" in unknown.json()["detail"]


@pytest.mark.parametrize("reproducible", [True, False])
def test_every_way_to_a_job_takes_reproducible_and_a_retry_keeps_it(
    client: TestClient, image_id: str, reproducible: bool
) -> None:
    params = {"image": image_id}
    asked = {"kind": "classify", "params": params, "reproducible": reproducible}
    own = {"reproducible": str(reproducible).lower()}
    later = {"Prefer": "respond-async"}
    form = {"params": (None, json.dumps(params))}
    for answer in (
        client.post("/v1/jobs", json=asked),
        client.post("/v1/classify", params=own, json=params, headers=later),
        client.post("/v1/classify", params=own, files=form, headers=later),
    ):
        assert answer.status_code == 202, answer.text
        job = answer.json()
        assert job["reproducible"] is reproducible
        client.post(f"/v1/jobs/{job['id']}/cancel")
        again = client.post(f"/v1/jobs/{job['id']}/retry").json()
        assert (again["retry_of"], again["reproducible"]) == (job["id"], reproducible)


def test_one_multipart_call_uploads_and_submits(client: TestClient) -> None:
    answer = client.post(
        URL,
        files=[
            ("content", ("photo.png", strange.plain())),
            ("style", ("one.png", strange.noise(seed=1))),
            ("style", ("two.jpg", strange.noise("JPEG", seed=2))),
        ],
        data={"params": json.dumps({"size": 128})},
    )
    assert answer.status_code == 202, answer.text
    params = answer.json()["params"]
    assert params["size"] == 128 and len(params["style"]) == 2
    assert client.get(f"/v1/images/{params['content']}").json()["name"] == "photo.png"


def test_a_multipart_call_that_fails_stores_nothing(client: TestClient, settings: Settings) -> None:
    for style, params, field in (
        (b"no picture", {}, "style"),
        (strange.plain(), {"size": 3}, "size"),
        (strange.plain(), {"colour": 1}, "colour"),
    ):
        answer = client.post(
            URL,
            files={"content": ("a.png", strange.plain()), "style": ("b.png", style)},
            data={"params": json.dumps(params)},
        )
        assert answer.status_code in (415, 422) and answer.json()["field"] == field, answer.text
    assert [p for p in (settings.data_dir / "files").rglob("*") if p.is_file()] == []
    assert client.get("/v1/jobs").json()["items"] == []


def test_forms_that_cannot_be_meant(client: TestClient, image_id: str) -> None:
    picture = ("a.png", strange.plain())
    loose = client.post(URL, files={"content": picture}, data={"size": "256"})
    assert loose.status_code == 422 and loose.json()["field"] == "size"
    stranger = client.post(URL, files={"photo": picture}, data={"params": "{}"})
    assert stranger.json()["field"] == "photo" and "content, style" in stranger.json()["detail"]
    twice = client.post(URL, files={"content": picture}, data={"params": json.dumps({"content": image_id})})
    assert twice.status_code == 422 and "both" in twice.json()["detail"]
    broken = client.post(URL, files={"content": picture}, data={"params": "{"})
    assert broken.status_code == 400 and broken.json()["field"] == "params"
    text = client.post(URL, content="hello", headers={"content-type": "text/plain"})
    assert text.status_code == 415
    array = client.post(URL, content="[]", headers={"content-type": "application/json"})
    assert array.status_code == 422


BAD_PARAMS: list[tuple[dict[str, Any], str, str]] = [
    ({"style_layers": ["relu9_9"]}, "style_layers", "relu4_1"),
    ({"content_layers": {"relu3_1": 1, "nope": 2}}, "content_layers", "nope"),
    ({"network": "resnet9000"}, "network", "vgg19-random"),
    ({"preset": "rembrandt"}, "preset", "impasto"),
    ({"content": "0198c0de-0000-7000-8000-000000000000"}, "content", "upload"),
    ({"content": "../../etc/passwd"}, "content", "upload"),
    ({"style": ["0198c0de-0000-7000-8000-000000000000/image"]}, "style", "no artifact"),
    ({"style_weights": [-1]}, "style_weights.0", "greater"),
    ({"style_weights": [0]}, "style_weights", "positive"),
    ({"style_weights": [1, 2]}, "style_weights", "2 weights for 1"),
    ({"style_masks": ["x", "y"]}, "style_masks", "2 masks for 1"),
    ({"style_weight": -0.5}, "style_weight", "greater"),
    ({"size": 100_000}, "size", "8192"),
    ({"size": "large"}, "size", "integer"),
    ({"brush": 3}, "brush", "content_weight"),
    ({"init": "image"}, "init_image", "start"),
    ({"init_image": "x", "init": "noise"}, "init_image", "leave"),
    ({"style": []}, "style", "1"),
    ({"seed": -1}, "seed", "greater"),
    ({"style_weight": 0, "content_weight": 0}, "style_weight", "0"),
    ({"content_weight": 0, "style_layers": {"relu1_1": 0}}, "style_layers", "weight of 0"),
    ({"style_weight": 0, "content_layers": {"relu1_1": 0}}, "style_layers", "weight of 0"),
]


@pytest.mark.medium
@pytest.mark.parametrize(("change", "field", "hint"), BAD_PARAMS)
def test_bad_params_name_the_field_and_the_remedy(
    client: TestClient, image_id: str, change: dict[str, Any], field: str, hint: str
) -> None:
    answer = client.post(URL, json={"content": image_id, "style": [image_id], **change})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["field"] == field and hint in problem["detail"], problem
    assert client.get("/v1/jobs").json()["items"] == []


@pytest.mark.medium
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["style_weight", "tv_weight", "style_scale"])
def test_numbers_that_are_not_finite(client: TestClient, image_id: str, field: str, number: str) -> None:
    body = f'{{"content": "{image_id}", "style": "{image_id}", "{field}": {number}}}'
    answer = client.post(URL, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and answer.json()["field"] == field


def test_what_is_missing_is_said(client: TestClient) -> None:
    problem = client.post(URL, json={}).json()
    assert [error["field"] for error in problem["errors"]] == ["content", "style"]


def test_the_same_key_gives_the_same_job(client: TestClient, image_id: str) -> None:
    body = {"content": image_id, "style": image_id}
    key = {"Idempotency-Key": "one"}
    first = client.post(URL, json=body, headers=key).json()
    assert client.post(URL, json=body, headers=key).json()["id"] == first["id"]
    other = client.post(URL, json={**body, "size": 64}, headers=key)
    assert other.status_code == 422 and other.json()["field"] == "Idempotency-Key"
    assert len(client.get("/v1/jobs").json()["items"]) == 1


def test_the_same_form_with_the_same_key_is_stored_once(client: TestClient, settings: Settings) -> None:
    def send() -> Any:
        return client.post(
            URL,
            files={"content": ("a.png", strange.plain()), "style": ("b.png", strange.noise())},
            data={"params": "{}"},
            headers={"Idempotency-Key": "two"},
        ).json()

    assert send()["id"] == send()["id"]
    assert len([p for p in (settings.data_dir / "files").rglob("*") if p.is_file()]) == 2


def test_lists_page_and_filter(client: TestClient, image_id: str) -> None:
    body = {"content": image_id, "style": image_id}
    made = [client.post(URL, json=body).json()["id"] for _ in range(5)]
    client.post(f"/v1/jobs/{made[0]}/cancel")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/jobs", params=query).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    found = client.get("/v1/jobs", params={"state": "cancelled"}).json()["items"]
    assert [job["id"] for job in found] == made[:1]
    assert client.get("/v1/jobs", params={"state": "asleep"}).json()["field"] == "state.0"
    assert client.get("/v1/jobs", params={"limit": 1000}).status_code == 422


def test_lists_have_the_jobs_of_a_batch_or_of_none(client: TestClient, services: Services) -> None:
    b1, b2, b3 = new_id(), new_id(), new_id()
    lines = [
        NewJob("k", "long", {}, batch_id=b1, batch_line=line, custom_id=f"c{line}") for line in (1, 2, 3)
    ]
    with write(services.engine) as connection:
        made = repository.insert_jobs(connection, b1, lines)
        (single,) = repository.insert_jobs(connection, "", [NewJob("k", "long", {})])
        repository.insert_jobs(connection, b2, [NewJob("k", "long", {}, batch_id=b2, batch_line=1)])

    def listed(batch: str, **query: str) -> list[dict[str, Any]]:
        items = client.get("/v1/jobs", params={"batch": batch, **query}).json()["items"]
        assert isinstance(items, list)
        return items

    entries = listed(b1)
    assert [job["id"] for job in entries] == made[::-1]
    assert [(job["batch_id"], job["batch_line"], job["custom_id"]) for job in entries] == [
        (b1, 3, "c3"),
        (b1, 2, "c2"),
        (b1, 1, "c1"),
    ]
    assert [job["id"] for job in listed(b1, cursor=made[2], limit="1")] == made[1:2]
    assert listed(b3) == []
    (alone,) = listed("none")
    assert alone["id"] == single
    assert [alone[name] for name in ("batch_id", "batch_line", "custom_id")] == [None] * 3


def test_cancel_is_idempotent_and_shows_at_once(
    client: TestClient, services: Services, image_id: str
) -> None:
    body = {"content": image_id, "style": image_id}
    queued = client.post(URL, json=body).json()
    for _ in range(2):
        job = client.post(f"/v1/jobs/{queued['id']}/cancel").json()
        assert job["state"] == "cancelled" and job["finished_at"]
    running = client.post(URL, json=body).json()
    claim = claims.claim_next(services.engine, "w", ["long"], 30)
    assert claim is not None
    job = client.post(f"/v1/jobs/{running['id']}/cancel").json()
    assert job["state"] == "running" and job["cancel_requested"]
    claims.finish(services.engine, claim, State.CANCELLED)
    assert client.get(f"/v1/jobs/{running['id']}").json()["state"] == "cancelled"


def test_only_what_has_begun_and_can_is_finished_early(
    client: TestClient, services: Services, image_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(job_id: str) -> str:
        answer = client.post(f"/v1/jobs/{job_id}/finish")
        assert (answer.status_code, answer.json()["type"]) == (409, "cannot_finish"), answer.text
        return str(answer.json()["detail"])

    painting = client.post(URL, json={"content": image_id, "style": image_id}).json()
    assert "style_transfer has nothing to keep" in refused(painting["id"])
    client.post(f"/v1/jobs/{painting['id']}/cancel")
    monkeypatch.setitem(KINDS, memorizing.SPEC.name, memorizing.SPEC)
    job = client.post("/v1/jobs", json={"kind": "memorizing", "params": {}}).json()
    assert not job["finish_requested"] and "has not begun" in refused(job["id"])
    claim = claim_by_id(services.engine, job["id"], "w", 30)
    assert claim is not None
    url = f"/v1/jobs/{job['id']}"
    seqs = {client.post(f"{url}/finish").json()["seq"] for _ in range(2)}
    shown = client.get(url).json()
    assert (shown["state"], shown["finish_requested"], seqs) == ("running", True, {shown["seq"]})
    events = repository.list_events(services.engine, job["id"])
    assert [event.data["finish_requested"] for event in events] == [False, False, True]
    assert claims.heartbeat(services.engine, claim).finish_requested
    claims.finish(services.engine, claim, State.SUCCEEDED)
    assert "ended as succeeded" in refused(job["id"])


def test_a_paused_job_that_is_finished_early_goes_on_to_its_end(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, memorizing.SPEC.name, memorizing.SPEC)
    job = client.post("/v1/jobs", json={"kind": "memorizing", "params": {}}).json()
    claim = claim_by_id(services.engine, job["id"], "w", 30)
    assert claim is not None
    client.post(f"/v1/jobs/{job['id']}/pause")
    claims.finish(services.engine, claim, State.QUEUED)
    assert claim_by_id(services.engine, job["id"], "w", 30) is None
    shown = client.post(f"/v1/jobs/{job['id']}/finish").json()
    assert (shown["state"], shown["paused"], shown["finish_requested"]) == ("queued", False, True)
    assert claim_by_id(services.engine, job["id"], "w", 30) is not None


def test_jobs_go_first_by_a_header_of_ours_and_not_by_that_of_browsers(
    client: TestClient, services: Services, image_id: str
) -> None:
    def priority(**headers: str) -> int:
        body = {"kind": "deep_dream", "params": {"image": image_id}}
        answer = client.post("/v1/jobs", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return repository.get_job(services.engine, answer.json()["id"]).priority

    given = {"urgent": 6, "normal": 4, "background": 2, "0": 0, "7": 7}
    assert {name: priority(**{"Impasto-Priority": name}) for name in given} == given
    # Firefox and Chrome send these of their own accord.
    assert [priority(Priority=text) for text in ("u=0", "u=4", "i, u=2", "?")] == [4] * 4
    for wrong in ("u=0", "8", "Urgent", "²"):
        headers = {"Impasto-Priority": wrong.encode()}
        answer = client.post("/v1/jobs", json={"kind": "deep_dream", "params": {}}, headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (422, "Impasto-Priority")


def test_unknown_things_are_404_problems(client: TestClient, image_id: str) -> None:
    job = client.post(URL, json={"content": image_id, "style": image_id}).json()
    for method, path, kind in (
        ("GET", "/v1/jobs/nope", "unknown_job"),
        ("POST", "/v1/jobs/nope/cancel", "unknown_job"),
        ("GET", "/v1/jobs/nope/artifacts/image", "unknown_job"),
        ("GET", f"/v1/jobs/{job['id']}/artifacts/image", "unknown_artifact"),
        ("GET", "/v1/images/nope", "unknown_image"),
        ("GET", "/v1/networks/nope", "unknown_network"),
        ("GET", "/v1/nope", "not_found"),
    ):
        answer = client.request(method, path)
        assert answer.status_code == 404 and answer.json()["type"] == kind
        assert answer.headers["content-type"] == "application/problem+json"
    wrong = client.delete("/v1/kinds")
    assert wrong.status_code == 405 and wrong.json()["type"] == "method_not_allowed"


def test_kinds_carry_schema_defaults_and_texts(client: TestClient) -> None:
    kind = client.get("/v1/kinds").json()["items"][0]
    assert (kind["kind"], kind["path"]) == ("style_transfer", URL)
    properties = kind["schema"]["properties"]
    assert properties["size"]["default"] == 512 and properties["size"]["maximum"] == 8192
    assert all(prop.get("title") and prop.get("description") for prop in properties.values())
    assert kind["schema"]["required"] == ["content", "style"]
    values = kind["presets"]["impasto"]["values"]
    assert values["style_weight"] == PRESETS["impasto"].style_weight


def test_networks_list_their_layers(client: TestClient) -> None:
    items = client.get("/v1/networks").json()["items"]
    names = [network["name"] for network in items]
    assert "vgg19-random" in names
    card = client.get("/v1/networks/vgg19-random").json()
    relu = next(layer for layer in card["layers"] if layer["name"] == "relu4_1")
    assert (relu["channels"], relu["stride"]) == (256, 8)


def test_ready_means_that_a_worker_of_each_lane_lives(client: TestClient, services: Services) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    waiting = client.get("/readyz")
    assert waiting.status_code == 503 and waiting.json()["lanes_without_worker"] == all_lanes()
    for lane in all_lanes():
        workers.register(services.engine, worker_id=lane, lanes=[lane], device="cpu", host="h", pid=1)
    ready = client.get("/readyz")
    assert ready.status_code == 200 and ready.json()["workers"][0]["device"] == "cpu"


@pytest.mark.medium
def test_ready_asks_only_for_the_lanes_that_the_settings_name(settings: Settings) -> None:
    with serving(settings.model_copy(update={"lanes": "long"})) as client:
        assert client.get("/readyz").json()["lanes_without_worker"] == ["long"]
        engine = client.app.state.services.engine  # type: ignore[attr-defined]
        workers.register(engine, worker_id="w", lanes=["long"], device="cpu", host="h", pid=1)
        assert client.get("/readyz").status_code == 200


def test_every_reference_in_the_description_leads_to_something(client: TestClient) -> None:
    api = client.get("/v1/openapi.json").json()
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(api)))
    assert "#/components/schemas/Matrix" in references
    for reference in references:
        *path, name = reference.removeprefix("#/").split("/")
        assert path == ["components", "schemas"] and name in api["components"]["schemas"], reference


def test_the_description_names_every_route(client: TestClient) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert {URL, "/v1/jobs", "/v1/jobs/{job_id}/cancel", "/v1/images", "/v1/kinds"} <= set(paths)
    body = paths[URL]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
