"""The service below a path: whatever a proxy does with it, and in every URL that is answered."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.settings import Settings
from tests.app.conftest import serving
from tests.support.strange_pictures import noise, plain

ROOT = "/art/impasto"
JSONL = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that is shown below a path."""
    data = tmp_path_factory.mktemp("data")
    with serving(Settings(data_dir=data, port=0, allowed_hosts="testserver", root_path=ROOT)) as client:
        yield client


@pytest.fixture(params=[ROOT, ""], ids=["kept", "stripped"])
def prefix(request: pytest.FixtureRequest) -> str:
    """What a proxy leaves before a path."""
    return str(request.param)


def upload(client: TestClient, prefix: str) -> Any:
    return client.post(f"{prefix}/v1/images", files={"image": plain()})


def test_every_url_begins_with_it(client: TestClient, prefix: str) -> None:
    sent = upload(client, prefix)
    image = sent.json()
    assert sent.headers["location"] == f"{ROOT}/v1/images/{image['id']}"
    assert image["url"] == f"{ROOT}/v1/images/{image['id']}/content"
    assert client.get(image["url"]).content == client.get(image["url"].removeprefix(ROOT)).content

    files = {"content": ("a.png", noise(seed=1)), "style": ("b.png", noise(seed=2))}
    job = client.post(f"{prefix}/v1/style-transfer", files=files)
    assert job.headers["location"] == f"{ROOT}/v1/jobs/{job.json()['id']}"
    assert client.get(job.headers["location"]).json()["kind"] == "style_transfer"

    line = {"custom_id": "1", "kind": "classify", "params": {"image": image["id"]}}
    batch = client.post(f"{prefix}/v1/batches", content=json.dumps(line), headers=JSONL)
    assert batch.headers["location"] == f"{ROOT}/v1/batches/{batch.json()['id']}"


def test_limits_are_those_of_the_route(client: TestClient, prefix: str) -> None:
    files = {"image": ("large.png", noise(seed=1, size=(900, 900)))}
    assert len(files["image"][1]) > 1_000_000
    assert client.post(f"{prefix}/v1/images", files=files).status_code == 201


def test_the_page_and_its_files_are_below_it(client: TestClient, prefix: str) -> None:
    page = client.get(f"{prefix}/")
    links = re.findall(r'(?:href|src)="([^#"]+)"', page.text)
    assert links and all(link.startswith(f"{ROOT}/static/") for link in links)
    for link in links:
        assert client.get(link).status_code == client.get(link.removeprefix(ROOT)).status_code == 200
    assert client.get(ROOT).text == page.text


def test_its_description_names_it(client: TestClient, prefix: str) -> None:
    description = client.get(f"{prefix}/v1/openapi.json").json()
    assert description["servers"] == [{"url": ROOT}]
    assert "/v1/jobs" in description["paths"]


def test_a_longer_name_is_another_path(client: TestClient) -> None:
    assert client.get(f"{ROOT}er/v1/jobs").status_code == 404
    assert client.get(f"{ROOT}{ROOT}/v1/jobs").status_code == 404


@pytest.mark.parametrize("value", ["impasto", "/impasto/", " /impasto "])
def test_slashes_around_it_do_not_matter(value: str) -> None:
    assert Settings(root_path=value).root_path == "/impasto"


@pytest.mark.parametrize("value", ["https://studio.example/impasto", "/a//b", "/../a", "/a b", "/a?b"])
def test_what_is_no_path_is_no_setting(value: str) -> None:
    with pytest.raises(ValidationError, match="write it as /impasto"):
        Settings(root_path=value)
