"""What a body may hold: little JSON, few fields, sane numbers and texts. The rest is refused with 4xx."""

import asyncio
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.types import Message

import app
from app.http.bodies import MAX_JSON_BYTES, LimitedRoute
from app.http.forms import MAX_FILES, MAX_TEXTS
from app.jobs import kind_routes
from app.settings import Settings
from tests.app.conftest import serving
from tests.support.strange_pictures import plain

JSON = {"content-type": "application/json"}
# Every way to send JSON.
ROUTES = [("POST", "/v1/jobs"), ("POST", "/v1/style-transfer"), ("PATCH", "/v1/networks/x")]
EVERY = pytest.mark.parametrize(("method", "path"), ROUTES)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all tests here, which hardly change it."""
    folder = tmp_path_factory.mktemp("bodies")
    with serving(Settings(data_dir=folder / "data", port=0, allowed_hosts="testserver")) as client:
        yield client


def in_pieces(data: bytes, taken: list[int] | None = None, size: int = 100_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        if taken is not None:
            taken.append(start)
        yield data[start : start + size]


def padded(length: int) -> bytes:
    """An empty JSON object of so many bytes."""
    return b"{" + b" " * (length - 2) + b"}"


@pytest.mark.medium
@EVERY
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("media_type", ["application/json", "application/vnd.x+json", "text/plain", ""])
def test_more_than_a_megabyte_of_json_is_413(
    client: TestClient, method: str, path: str, chunked: bool, media_type: str
) -> None:
    # Refused before it is read.
    unread = chunked and media_type != "application/json"
    for data in (padded(MAX_JSON_BYTES + 1), b'{"a":[' + b"{}," * 1_300_000 + b"0]}"):
        headers = {"content-type": media_type} if media_type else {}
        content = in_pieces(data) if chunked else data
        answer = client.request(method, path, content=content, headers=headers)
        assert answer.status_code == (415 if unread else 413), answer.text
        if not unread:
            assert answer.json()["type"] == "request_too_large" and "1,000,000" in answer.json()["detail"]


@EVERY
def test_a_form_is_no_way_past_the_limit_of_json(client: TestClient, method: str, path: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = client.request(method, path, content=in_pieces(padded(MAX_JSON_BYTES + 1)), headers=headers)
    assert answer.status_code == (400 if path == "/v1/style-transfer" else 415)


@EVERY
def test_exactly_a_megabyte_is_parsed(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path, content=padded(MAX_JSON_BYTES), headers=JSON).status_code == 422


@pytest.mark.parametrize("path", ["/v1/images", "/v1/networks"])
@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "application/json", "image/png"])
def test_what_is_no_form_with_files_has_not_the_limit_of_one(
    client: TestClient, path: str, media_type: str
) -> None:
    data = b"name=" + b"a" * MAX_JSON_BYTES
    answer = client.post(path, content=data, headers={"content-type": media_type})
    assert answer.status_code == 413
    if media_type == "application/x-www-form-urlencoded":
        answer = client.post(path, content=in_pieces(data), headers={"content-type": media_type})
        assert answer.status_code == 415


@pytest.mark.parametrize("filename", [None, "params.json"])
def test_params_of_a_form_have_the_limit_of_json(client: TestClient, filename: str | None) -> None:
    for length, status in ((MAX_JSON_BYTES, 422), (MAX_JSON_BYTES + 1, 413), (3 * MAX_JSON_BYTES, 413)):
        answer = client.post("/v1/style-transfer", files={"params": (filename, padded(length))})
        assert answer.status_code == status, answer.text
        if status == 413:
            problem = answer.json()
            assert (problem["type"], problem["field"]) == ("request_too_large", "params")
            assert "1,000,000" in problem["detail"]
    # In bytes: these are half as many characters.
    long = ('{"a":"' + "ü" * 600_000 + '"}').encode()
    assert client.post("/v1/style-transfer", files={"params": (filename, long)}).status_code == 413


def job(network: bytes = b'"vgg19-random"', content: bytes = b'"a"') -> bytes:
    """A body that has something of each route's own; not valid JSON if a part is not."""
    return (
        b'{"name":%s,"kind":"style_transfer","params":{"content":%s,"style":"a","network":%s},'
        b'"content":%s,"style":"a","network":%s}'
    ) % (network, content, network, content, network)


STRANGE = {
    "nested lists": b'{"a":' + b"[" * 400_000 + b"]" * 400_000 + b"}",
    "nested objects": b'{"a":' * 150_000,
    "nested, and just parsed": job(content=b"[" * 900 + b"]" * 900),
    "a long integer": job(b"9" * 100_000),
    "an integer": job(b"9" * 4300),
    "a large float": job(b"1e400"),
    "not a number": job(b"NaN", b"-Infinity"),
    "half a pair": job(rb'"\ud800"'),
    "half a pair in bytes": job(b'"\xed\xa0\x80"'),
    "half a pair as a key": rb'{"\ud800":1}',
    "no UTF-8": b'{"name":"\xff"}',
    "UTF-16": '{"name":1}'.encode("utf-16"),
    "a list": b"[1]",
    "a text": b'"a"',
    "null": b"null",
    "nothing": b"",
}


@EVERY
@pytest.mark.parametrize("name", STRANGE)
def test_strange_json_is_refused(client: TestClient, method: str, path: str, name: str) -> None:
    answer = client.request(method, path, content=STRANGE[name], headers=JSON)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if path == "/v1/style-transfer":
        form = client.post(path, files={"params": ("p.json", STRANGE[name])})
        assert form.status_code in (400, 422), form.text


@pytest.mark.parametrize("half", [rb"\ud800", b"\xed\xa0\x80"])
def test_half_a_pair_goes_into_no_job(client: TestClient, image_id: str, half: bytes) -> None:
    params = json.dumps({"content": image_id, "style": image_id, "network": "?"}).encode().replace(b"?", half)
    named = b'{"kind":"style_transfer","params":%s}' % params
    for path, body in (("/v1/style-transfer", params), ("/v1/jobs", named)):
        answer = client.post(path, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (400, "invalid_json")


@pytest.mark.parametrize("seed", [b"9" * 4300, b"9" * 30, b"1e400", b"-1", b"1.5"])
def test_strange_numbers_of_a_job_are_refused(client: TestClient, image_id: str, seed: bytes) -> None:
    params = b'{"content":"%s","style":"%s","seed":%s}' % (image_id.encode(), image_id.encode(), seed)
    named = b'{"kind":"style_transfer","params":%s}' % params
    for path, body in (("/v1/style-transfer", params), ("/v1/jobs", named)):
        answer = client.post(path, content=body, headers=JSON)
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"] == "seed" and len(answer.content) < 2000


@pytest.mark.medium
@EVERY
def test_many_wrong_fields_make_no_long_answer(client: TestClient, method: str, path: str) -> None:
    many = {f"a{number}": 0 for number in range(50_000)}
    bodies: list[Any] = [many, {"kind": "style_transfer", "params": many}]
    bodies.append({"kind": "style_transfer", "params": {"style_layers": many, "a": 1}})
    bodies.append({"content": "a", "style": ["a"] * 50_000, "style_layers": dict.fromkeys(many, "x")})
    for body in bodies:
        answer = client.request(method, path, json=body)
        assert answer.status_code == 422
        assert len(answer.content) < 50_000 and answer.json()["errors"]


@EVERY
def test_long_texts_make_no_long_answer(client: TestClient, method: str, path: str) -> None:
    long = "a" * 300_000
    params = {"content": "a", "style": "a", "network": long}
    for body in (
        {long: 1},
        {"kind": long, "params": {}},
        {"kind": "style_transfer", "params": params},
        params,
    ):
        answer = client.request(method, path, json=body)
        assert answer.status_code == 422
        assert len(answer.content) < 50_000


@pytest.mark.parametrize("path", ["/v1/images", "/v1/networks", "/v1/style-transfer"])
def test_a_form_has_few_parts(client: TestClient, path: str) -> None:
    files = [(f"file{number}", ("a", b"a")) for number in range(MAX_FILES + 1)]
    assert client.post(path, files=files).json()["type"] == "bad_request"
    texts = {f"text{number}": "a" for number in range(MAX_TEXTS + 1)}
    assert client.post(path, files=files[:1], data=texts).json()["type"] == "bad_request"


CHARSETS = [
    "undefined",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-7",
    "utf-16",
    "idna",
    "hex",
    "?",
    "ÿ",
    "a" * 999,
]


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize(
    "path", ["/v1/style-transfer", "/v1/images", "/v1/datasets", "/v1/networks", "/v1/batches"]
)
def test_forms_are_in_utf_8(client: TestClient, path: str, charset: str) -> None:
    odd = rb"\ud800"
    data = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % part
        for part in (
            (b"params", b"", b'{"network":"%s"}' % odd),
            (odd, b'; filename="a"', b"x"),
            (b"image", b'; filename="%s.png"' % odd, plain()),
        )
    )
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}".encode("latin-1")}
    answer = client.post(path, content=data + b"--x--\r\n", headers=headers)
    assert answer.status_code == 400, answer.text
    assert "the header Content-Type" in answer.json()["detail"] and "UTF-8" in answer.json()["detail"]


def test_a_form_may_say_that_it_is_in_utf_8(client: TestClient) -> None:
    data = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="\xc3\xbc.png"\r\n\r\n%s\r\n--x--\r\n'
        % plain()
    )
    for charset in ("utf-8", '"UTF-8"', "utf8"):
        headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
        answer = client.post("/v1/images", content=data, headers=headers)
        assert (answer.status_code, answer.json()["name"]) == (201, "ü.png")


def test_a_length_of_thousands_of_digits_is_too_long(client: TestClient) -> None:
    headers = {**JSON, "content-length": "9" * 5000}
    assert client.post("/v1/jobs", content=in_pieces(b"{}"), headers=headers).status_code == 413


def test_every_route_that_reads_a_body_is_limited() -> None:
    routers = [kind_routes.make_router()]
    for path in Path(app.__path__[0]).glob("*/*routes.py"):
        module = import_module(f"app.{path.parent.name}.{path.stem}")
        routers += [module.router] if hasattr(module, "router") else []
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    reading = [route for route in routes if route.body_field or route.openapi_extra]
    assert len(reading) > 5
    assert [route.path for route in reading if not isinstance(route, LimitedRoute)] == []


def test_numbers_of_headers_are_refused_or_ignored(client: TestClient, image_id: str) -> None:
    job = client.post("/v1/style-transfer", json={"content": image_id, "style": image_id}).json()["id"]
    for last in (b"9" * 5000, b"9" * 30, "²".encode("latin-1"), b"-1"):
        answer = client.get(f"/v1/jobs/{job}/events", headers={"last-event-id": last})
        assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")
    whole = client.get(f"/v1/images/{image_id}/content")
    for asked in ("9" * 5000 + "-", "-" + "9" * 5000, "0-" + "9" * 5000):
        answer = client.get(f"/v1/images/{image_id}/content", headers={"range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (200, whole.content)


def test_json_of_a_client_is_what_it_was(client: TestClient, image_id: str) -> None:
    params = {"content": image_id, "style": image_id, "size": 64}
    text = json.dumps(params).encode()
    assert client.post("/v1/jobs", json={"kind": "style_transfer", "params": params}).status_code == 202
    assert client.post("/v1/style-transfer", content=text, headers=JSON).status_code == 202
    escaped = text.replace(b"size", b"\\u0073ize")
    sent = client.post(
        "/v1/style-transfer", content=escaped, headers={"content-type": "application/json; a=b"}
    )
    assert (sent.status_code, sent.json()["params"]["size"]) == (202, 64)
    data = {"params": json.dumps({"size": 64})}
    with_text = client.post("/v1/style-transfer", files={"content": b"x"}, data=data)
    assert with_text.status_code in (415, 422)


@pytest.mark.parametrize("digit", ["9", "\u0663"])
def test_a_member_has_no_position_of_thousands_of_digits(
    client: TestClient, image_id: str, digit: str
) -> None:
    name = f"set-{ord(digit)}"
    client.post("/v1/datasets", json={"name": name})
    client.post(f"/v1/datasets/{name}/members", json={"members": [{"image": image_id, "label": "a"}]})
    assert client.post(f"/v1/datasets/{name}/close").status_code == 200
    changes = {"name": f"{name}-changed", "labels": {digit * 5000: "b"}}
    answer = client.post(f"/v1/datasets/{name}/relabel", json=changes)
    assert answer.status_code == 422 and "or its position" in answer.json()["detail"]


@pytest.mark.parametrize("media_type", [*JSON.values(), "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/style-transfer", "/v1/images", "/v1/datasets"])
def test_a_body_that_breaks_off_is_no_fault_of_the_service(
    client: TestClient, path: str, media_type: str
) -> None:
    """Without a server, for what it sends comes to nobody."""
    received: list[Message] = [
        {
            "type": "http.request",
            "body": b'--x\r\nContent-Disposition: form-data; name="a"',
            "more_body": True,
        },
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return received.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"testserver"), (b"content-type", media_type.encode())]
    about = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    asyncio.run(client.app(about, receive, send))
    assert sent[0]["status"] in (400, 415)
