"""Masks in other proportions than their picture are refused before a job is made of them."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.http.services import Services
from tests.app.conftest import upload
from tests.support.strange_pictures import plain, rotated

URL = "/v1/style-transfer"


def uploaded(client: TestClient, *size: int) -> str:
    """The id of a stored picture of some width and height."""
    return str(upload(client, plain(size=size)).json()["id"])


def problems(answer: Any) -> dict[str, str]:
    """What an answer says is wrong, by field."""
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["detail"] for error in answer.json()["errors"]}


def test_the_mask_is_named_with_both_sizes_and_what_to_do(client: TestClient) -> None:
    wide, square = uploaded(client, 40, 30), uploaded(client, 40, 40)
    pictures = {"content": wide, "style": [wide, square]}
    masks = {"style_masks": [wide, square], "content_mask": square, "content_weight_map": wide}

    found = problems(client.post(URL, json={**pictures, **masks}))

    assert [*found] == ["style_masks.1", "content_mask"]
    assert found["style_masks.1"] == (
        "The mask has 40×40 pixels, the content 40×30, in other proportions: crop or stretch the mask to "
        "those of the content."
    )
    one = {"content": wide, "style": wide, "style_masks": square}
    assert [*problems(client.post("/v1/estimate", json={"kind": "style_transfer", "params": one}))] == [
        "style_masks"
    ]
    assert client.post(URL, json={**pictures, "style_masks": [wide, wide]}).status_code == 202


def test_pictures_have_the_shape_that_they_are_shown_in(client: TestClient) -> None:
    # Stored lying on its side: shown, it stands.
    standing = str(upload(client, rotated(6, size=(40, 30))).json()["id"])
    wide, tall = uploaded(client, 40, 30), uploaded(client, 30, 40)
    asked = {"content": tall, "style": tall}
    assert client.post(URL, json={**asked, "content_mask": standing}).status_code == 202
    found = problems(client.post(URL, json={**asked, "content": wide, "content_mask": standing}))
    assert "The mask has 30×40 pixels, the content 40×30" in found["content_mask"]


def test_files_of_one_call_are_compared_and_none_is_kept(client: TestClient, services: Services) -> None:
    files = [
        ("content", ("a.png", plain(size=(40, 30)))),
        ("style", ("b.png", plain())),
        ("style_masks", ("c.png", plain(size=(30, 40)))),
    ]
    assert "30×40" in problems(client.post(URL, files=files))["style_masks"]
    # Beside one that is stored.
    named = {"params": json.dumps({"content": uploaded(client, 40, 30)})}
    assert "30×40" in problems(client.post(URL, files=files[1:], data=named))["style_masks"]
    assert client.get("/v1/jobs").json()["items"] == []
    assert len(services.storage.list_old("images", -60)) == 1


def test_a_shape_that_nobody_knows_yet_is_left_to_the_job(client: TestClient) -> None:
    square = uploaded(client, 40, 40)
    params = {"content_mask": square}
    answer = client.post("/v1/estimate", json={"kind": "style_transfer", "params": params})
    assert answer.status_code == 200


@pytest.mark.parametrize("as_lines", [True, False])
def test_each_entry_of_a_batch_is_compared(client: TestClient, as_lines: bool) -> None:
    wide, square = uploaded(client, 40, 30), uploaded(client, 40, 40)
    common = {"style": wide, "content_mask": square}
    if as_lines:
        lines = [
            {"custom_id": f"e{number}", "kind": "style_transfer", "params": {**common, "content": name}}
            for number, name in enumerate((square, wide, square))
        ]
        body: dict[str, Any] = {
            "content": "\n".join(map(json.dumps, lines)),
            "headers": {"Content-Type": "application/x-ndjson"},
        }
    else:
        matrix = {"kind": "style_transfer", "params": common, "over": {"content": [square, wide, square]}}
        body = {"json": matrix}

    refused = client.post("/v1/batches", **body)

    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["line"], error["field"]) == (2, "content_mask") and "40×40" in error["detail"]
    without = client.post("/v1/batches", **body, params={"dry_run": True, "errors": "skip"}).json()
    assert (without["wrong"], without["lines"]) == (1, 3)
