"""Params of videos beside a picture or a clip for which they do nothing, however it comes."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.database.engine import write
from app.http.services import Services
from app.jobs.tables import jobs
from tests.app.conftest import upload
from tests.support.clips import gif
from tests.support.strange_pictures import plain

URL = "/v1/deep-dream"


@pytest.mark.parametrize(
    ("is_clip", "params", "fields"),
    [
        (False, {"zoom": 1.2}, ["zoom"]),
        (False, {"fps": 10, "format": "webp"}, ["fps", "format"]),
        (False, {"zoom": 1.2, "fps": 10, "frames": 3}, []),
        (False, {"blend": 0.5, "frames": 3}, ["blend"]),
        (True, {"blend": 0.5, "fps": 10, "format": "webp"}, []),
        (True, {"zoom": 1.2, "rotation": 5}, ["zoom", "rotation"]),
    ],
)
def test_what_does_nothing_for_it_is_refused(
    client: TestClient, is_clip: bool, params: dict[str, Any], fields: list[str]
) -> None:
    data = gif(3) if is_clip else plain()
    stored = client.post(URL, json={"image": upload(client, data).json()["id"], **params})
    # Of other bytes, so that it is a new one.
    data = gif(4) if is_clip else plain(size=(40, 30))
    sent = client.post(URL, files={"image": ("a", data), "params": (None, json.dumps(params))})
    for answer in (stored, sent):
        assert answer.status_code == (422 if fields else 202), answer.text
        assert [each["field"] for each in answer.json().get("errors", [])] == fields


def test_one_that_was_stored_before_is_tried_again(client: TestClient, services: Services) -> None:
    job = client.post(URL, json={"image": upload(client).json()["id"]}).json()
    client.post(f"/v1/jobs/{job['id']}/cancel")
    before = {**job["params"], "zoom": 1.2, "format": "webp"}
    with write(services.engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(params=before))

    again = client.post(f"/v1/jobs/{job['id']}/retry")

    assert again.status_code == 202, again.text
    assert again.json()["params"] == before


def test_an_estimate_without_the_picture_knows_nothing_of_it(client: TestClient) -> None:
    asked = {"kind": "deep_dream", "params": {"zoom": 1.2, "blend": 0.5}}
    assert client.post("/v1/estimate", json=asked).status_code == 200
