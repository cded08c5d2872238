"""Forms and JSON that can be read in two ways, or in part: nothing of them is lost without a word."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from tests.app.conftest import serving
from tests.support.strange_pictures import plain
from tests.support.zips import zipped

PART = b"--x\r\nContent-Disposition: form-data; name="
FORM = {"content-type": "multipart/form-data; boundary=x"}
# Nobody is there to do what they ask for.
ASYNC = {"prefer": "respond-async"}
JSON = {"content-type": "application/json", **ASYNC}
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all tests here."""
    folder: Path = tmp_path_factory.mktemp("forms")
    with serving(Settings(data_dir=folder / "data", port=0, allowed_hosts="testserver")) as client:
        yield client


def picture(name: bytes, filename: bytes = b'filename="a.png"') -> bytes:
    """A part that is a picture."""
    return PART + name + b"; " + filename + b"\r\n\r\n" + plain() + b"\r\n"


def text(name: bytes, value: bytes) -> bytes:
    """A part that is a text."""
    return PART + name + b"\r\n\r\n" + value + b"\r\n"


PAIR = picture(b"content") + picture(b"style")
PARAMS = text(b"params", b'{"size": 64}')


@pytest.mark.parametrize(
    ("path", "body"),
    [
        # It would be a job with the size that nobody asked for.
        ("/v1/style-transfer", PAIR + PARAMS),
        ("/v1/style-transfer", PAIR + PARAMS + b"--x"),
        ("/v1/images", picture(b"image")),
    ],
)
def test_a_form_without_its_end_makes_nothing(client: TestClient, path: str, body: bytes) -> None:
    before = client.get("/v1/images").json()["items"], client.get("/v1/jobs").json()["items"]
    answer = client.post(path, content=body, headers=FORM)
    assert (answer.status_code, answer.json()["field"]) == (400, "body"), answer.text
    assert "last boundary" in answer.json()["detail"]
    assert (client.get("/v1/images").json()["items"], client.get("/v1/jobs").json()["items"]) == before
    assert client.post(path, content=body.removesuffix(b"--x") + b"--x--\r\n", headers=FORM).is_success


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/style-transfer", PAIR + PARAMS + PARAMS, "params"),
        ("/v1/style-transfer", PAIR + picture(b"content") + PARAMS, "content"),
        ("/v1/images", picture(b"image") + picture(b"image"), "image"),
        ("/v1/networks", picture(b"file") + text(b"name", b"a") + text(b"name", b"b"), "name"),
    ],
)
def test_what_is_taken_once_is_sent_once(client: TestClient, path: str, body: bytes, field: str) -> None:
    answer = client.post(path, content=body + b"--x--\r\n", headers=FORM)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert "2 came" in answer.json()["detail"] or "came 2 times" in answer.json()["detail"]


def test_fields_that_say_nothing_are_not_counted(client: TestClient) -> None:
    body = picture(b"image") + text(b"x", b"1") + text(b"x", b"2") + b"--x--\r\n"
    answer = client.post("/v1/images", content=body, headers=FORM)
    assert answer.status_code == 201, answer.text


def test_params_of_a_set_are_sent_once(client: TestClient) -> None:
    file = PART + b'file; filename="a.zip"\r\n\r\n' + zipped({"a/b.png": plain()}) + b"\r\n"
    twice = text(b"params", b'{"name": "a"}') + text(b"params", b'{"name": "b"}')
    answer = client.post("/v1/datasets", content=file + twice + b"--x--\r\n", headers=FORM)
    assert (answer.status_code, answer.json()["field"]) == (422, "params"), answer.text
    assert client.get("/v1/datasets", params={"limit": 100}).text.count('"name":"b"') == 0


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        (b"filename*=utf-8''Gem%C3%A4lde.png", "Gemälde.png"),
        (b"filename*=\"UTF-8''Gem%C3%A4lde.png\"", "Gemälde.png"),
        (b"filename*=iso-8859-1'de'Gem%E4lde.png", "Gemälde.png"),
        (b"filename*=none''a%E4.png", "a%E4.png"),
        (b"filename*=utf-8''a%FF.png", "a%FF.png"),
        (b"filename*=utf-8''a%22%5Cb.png", 'a"\\b.png'),
        # What is plain is what counts.
        (b"filename=\"plain.png\"; filename*=utf-8''other.png", "plain.png"),
    ],
)
def test_a_file_with_an_extended_name_is_a_file(client: TestClient, filename: bytes, name: str) -> None:
    answer = client.post("/v1/images", content=picture(b"image", filename) + b"--x--\r\n", headers=FORM)
    assert (answer.status_code, answer.json()["name"]) == (201, name), answer.text
    line = json.dumps({"custom_id": "a", "kind": "architecture", "params": {}}).encode()
    file = PART + b"file; " + filename + b"\r\n\r\n" + line + b"\r\n--x--\r\n"
    assert client.post("/v1/batches?dry_run=true", content=file, headers=FORM).json()["lines"] == 1


@pytest.mark.parametrize(
    ("content_type", "body", "field", "why"),
    [
        ("multipart/form-data", b"a", "Content-Type", "names no boundary"),
        ("multipart/form-data; boundary=x", b"nothing", "body", "boundary"),
        ("multipart/form-data; boundary=x", PART.replace(b"; name=", b"") + b"\r\n\r\nx", "body", "no name"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/style-transfer", "/v1/images", "/v1/datasets", "/v1/batches"])
def test_what_is_no_form_says_what_makes_one(
    client: TestClient, path: str, content_type: str, body: bytes, field: str, why: str
) -> None:
    answer = client.post(path, content=body, headers={"content-type": content_type})
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (400, field), answer.text
    assert why in problem["detail"] and "curl -F" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/architecture", JSON, b'{"network": "palette"}'),
        ("/v1/images", FORM, picture(b"image") + b"--x--\r\n"),
        ("/v1/batches", LINES, b'{"custom_id": "a", "kind": "architecture"}'),
    ],
)
def test_a_compressed_body_is_told_to_come_plain(
    client: TestClient, path: str, headers: dict[str, str], body: bytes
) -> None:
    answer = client.post(path, content=gzip.compress(body), headers={**headers, "content-encoding": "gzip"})
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (415, "Content-Encoding"), answer.text
    assert "without the header" in problem["detail"]
    assert client.post(path, content=body, headers={**headers, "content-encoding": "identity"}).is_success


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"network": "palette", "network": "vgg19"}', "'network' comes twice"),
        (b'{"network": {"a": 1, "b": 2, "a": 1}}', "'a' comes twice"),
        (b'{"network": %s}' % (b"9" * 5000), "thousands of digits"),
        (b"[" * 100_000, "nested too deep"),
        ('{"network": "palette"}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_json_has_one_reading(client: TestClient, body: bytes, why: str) -> None:
    for answer, field in (
        (client.post("/v1/architecture", content=body, headers=JSON), "body"),
        (client.post("/v1/architecture", files={"params": ("p.json", body)}), "params"),
        (client.post("/v1/batches", content=body, headers=JSON), "body"),
    ):
        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
        assert why in answer.json()["detail"] and "sys." not in answer.json()["detail"]
    line = b'{"custom_id": "a", "kind": "architecture", "params": %s}' % body
    answer = client.post("/v1/batches", content=line, headers=LINES)
    assert (answer.status_code, answer.json()["field"]) == (422, "line")
    assert why in answer.json()["detail"]


def test_json_may_begin_with_the_mark_of_utf_8(client: TestClient) -> None:
    body = b'\xef\xbb\xbf{"network": "palette"}'
    assert client.post("/v1/architecture", content=body, headers=JSON).is_success
    assert client.post("/v1/architecture", files={"params": ("p.json", body)}, headers=ASYNC).is_success
