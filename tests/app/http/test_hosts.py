"""The names under which the service may be reached, and the origins whose pages may call it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from starlette.types import Message

from app.settings import Settings
from app.supervision.api import make_application
from tests.support.apps import lent_app
from tests.support.strange_pictures import plain

Client = Callable[..., TestClient]
# As browsers, tools and proxies write the names of a machine for itself.
LOOPBACK = (
    "localhost",
    "localhost:8000",
    "LOCALHOST:8000",
    "localhost.:8000",
    "127.0.0.1:8000",
    "127.8.9.10",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
)
OTHERS = (
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "128.0.0.1",
    "0.0.0.0",
    "[::2]:8000",
)
MALFORMED = (
    "",
    "a b",
    "localhost, evil.example",
    "localhost:80:80",
    "localhost:http",
    "::1",
    "[::1",
    "user@localhost",
    "localhost/",
    "..",
    "ünicode",
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Client]:
    """Clients of a service with some settings, in which each has a data folder of its own."""

    def make_client(**settings: Any) -> TestClient:
        data = tmp_path / str(len(list(tmp_path.iterdir())))
        return TestClient(apps.enter_context(lent_app(Settings(data_dir=data, port=0, **settings))))

    with ExitStack() as apps:
        yield make_client


def ask(client: TestClient, host: str, path: str = "/healthz", method: str = "GET") -> Any:
    return client.request(method, path, headers={b"host": host.encode("latin-1")})


def allowed(client: TestClient, *hosts: str) -> list[str]:
    return [host for host in hosts if ask(client, host).status_code == 200]


@pytest.mark.medium
def test_on_loopback_only_its_names_are_answered(make: Client) -> None:
    for bound in ("127.0.0.1", "127.0.0.3", "::1", "localhost", "LOCALHOST"):
        assert allowed(make(host=bound), *LOOPBACK, *OTHERS) == list(LOOPBACK), bound


@pytest.mark.medium
def test_on_another_address_every_name_is_answered_unless_some_are_named(make: Client) -> None:
    for bound in ("0.0.0.0", "::", "192.168.1.5", "studio.example"):
        assert allowed(make(host=bound), *LOOPBACK, *OTHERS) == [*LOOPBACK, *OTHERS], bound
        assert allowed(make(host=bound, allowed_hosts="a.example"), *OTHERS[:-2]) == []
        named = make(host=bound, allowed_hosts="a.example")
        assert allowed(named, "a.example", *LOOPBACK) == ["a.example", *LOOPBACK]
    bound_too = make(host="192.168.1.5", allowed_hosts="a.example")
    assert allowed(bound_too, "192.168.1.5:8000", "192.168.1.6:8000") == ["192.168.1.5:8000"]


@pytest.mark.medium
def test_names_are_compared_as_names_are(make: Client) -> None:
    client = make(allowed_hosts=" Studio.Example. , *.example.org,[FD00:0::1] ,10.0.0.7,api")
    good = ("studio.example", "STUDIO.example.:443", "a.example.org", "a.b.Example.ORG", "[fd00::1]:8000")
    bad = ("x.studio.example", "example.org", "aexample.org", "[fd00::2]", "10.0.0.70", "api.example")
    assert allowed(client, *good, *bad, "10.0.0.7", "api:8000") == [*good, "10.0.0.7", "api:8000"]
    assert allowed(make(allowed_hosts="a,*"), *OTHERS) == list(OTHERS)
    assert allowed(make(allowed_hosts=" , "), *OTHERS) == []


@pytest.mark.parametrize("names", ["http://a", "a:80", "*a", "a.*", "a/b", "[::1]:80", "a b", "ü.example"])
def test_what_is_no_name_of_a_host_is_no_setting(names: str) -> None:
    with pytest.raises(ValidationError, match="without scheme and port"):
        Settings(allowed_hosts=f"good.example,{names}")


@pytest.mark.medium
def test_a_refusal_is_a_problem_on_every_route(make: Client) -> None:
    client = make()
    paths = client.get("/v1/openapi.json", headers={"host": "localhost"}).json()["paths"]
    operations = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(operations) > 20
    for method, path in [
        *operations,
        ("GET", "/"),
        ("GET", "/static/x/main.js"),
        ("GET", "/none"),
        ("OPTIONS", "/"),
    ]:
        refused = ask(client, "evil.example:8000", path, method.upper())
        assert refused.status_code == 421, path
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["x-content-type-options"] == "nosniff"
        problem = refused.json()
        assert problem["type"] == "host_not_allowed" and "evil.example" in problem["detail"]
        assert "IMPASTO_ALLOWED_HOSTS" in problem["detail"]
    for method, path in operations:
        assert "421" in paths[path][method]["responses"], path


@pytest.mark.medium
@pytest.mark.parametrize("host", ["evil.example", "*"])
def test_a_host_that_cannot_be_read_is_400_whatever_is_allowed(make: Client, host: str) -> None:
    client = make(allowed_hosts=host)
    for malformed in MALFORMED:
        refused = ask(client, malformed)
        assert (refused.status_code, refused.json()["type"]) == (400, "bad_request"), malformed
    two = client.get("/healthz", headers=[("host", "localhost"), ("host", "evil.example")])
    assert (two.status_code, two.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("version", "names", "status"), [("1.1", "", 400), ("1.1", "*", 400), ("1.0", "", 421), ("1.0", "*", 200)]
)
def test_only_http_1_0_knows_requests_without_a_host(
    make: Client, version: str, names: str, status: int
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "http_version": version, "method": "GET", "path": "/healthz", "headers": []}
    asyncio.run(make(allowed_hosts=names).app({**scope, "query_string": b""}, receive, send))
    assert sent[0]["status"] == status


@pytest.mark.medium
def test_a_running_service_is_asked_by_its_address(address: str) -> None:
    assert httpx.get(f"{address}/readyz", trust_env=False).status_code == 503  # no worker
    for host, status in (("localhost", 200), ("testserver", 200), ("evil.example", 421)):
        assert httpx.get(f"{address}/healthz", headers={"host": host}, trust_env=False).status_code == status


@pytest.mark.medium
def test_a_host_of_the_command_line_counts(settings: Settings) -> None:
    app = make_application(settings.model_copy(update={"host": "0.0.0.0", "allowed_hosts": ""}))
    with TestClient(app, base_url="http://studio.example") as client:
        assert client.get("/healthz").status_code == 200


STUDIO = "https://studio.example"
PREFLIGHT = {
    "origin": STUDIO,
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "content-type,idempotency-key,prefer,impasto-priority,last-event-id,"
    "if-none-match,range",
}


def preflight(client: TestClient, **headers: str) -> Any:
    asked = {**PREFLIGHT, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.options("/v1/networks/x", headers={**asked, "host": "localhost"})


@pytest.mark.medium
def test_pages_of_an_allowed_origin_may_read_and_write(make: Client) -> None:
    client = make(allowed_origins=f"{STUDIO.upper()}:443/, http://localhost:5173")
    client.base_url = httpx.URL("http://localhost")
    answer = preflight(client)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == STUDIO
    for origin in (STUDIO, "http://localhost:5173"):
        sent = client.post("/v1/images", files={"image": plain()}, headers={"origin": origin})
        assert sent.status_code == 201, sent.text
        assert sent.headers["access-control-allow-origin"] == origin
        exposed = sent.headers["access-control-expose-headers"].lower().split(", ")
        assert {"location", "etag", "retry-after", "preference-applied", "content-range"} <= set(exposed)
        assert "access-control-allow-credentials" not in sent.headers
    refused = client.post("/v1/style-transfer", json={"x": 1}, headers={"origin": STUDIO})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (422, STUDIO)


@pytest.mark.medium
def test_no_other_page_may(make: Client) -> None:
    for settings in ({}, {"allowed_origins": STUDIO}):
        client = make(**settings)
        client.base_url = httpx.URL("http://localhost")
        for origin in (
            "https://elsewhere.example",
            "https://studio.example.evil",
            "http://studio.example",
            "http://[",
            "http://[::1",
            "null",
        ):
            answer = client.delete("/v1/images/x", headers={"origin": origin})
            assert (answer.status_code, answer.json()["type"]) == (403, "cross_origin")
            assert "IMPASTO_ALLOWED_ORIGINS" in answer.json()["detail"]
            for read in (
                client.get("/v1/jobs", headers={"origin": origin}),
                preflight(client, origin=origin),
            ):
                assert "access-control-allow-origin" not in read.headers
                assert read.request.method == "GET" or "problem" in read.headers["content-type"]
        assert client.delete("/v1/images/x", headers={"origin": "http://LOCALHOST"}).status_code == 403


def test_a_preflight_for_what_no_route_takes_is_a_problem(make: Client) -> None:
    client = make(allowed_origins=STUDIO)
    for wrong in ({"access_control_request_method": "PUT"}, {"access_control_request_headers": "x-secret"}):
        answer = preflight(client, **wrong)
        assert (answer.status_code, answer.json()["type"]) == (400, "bad_request")


def test_every_origin_may_be_allowed(make: Client) -> None:
    client = make(allowed_origins="*")
    client.base_url = httpx.URL("http://localhost")
    assert preflight(client).headers["access-control-allow-origin"] == "*"
    answer = client.delete("/v1/images/x", headers={"origin": "null"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "*")


@pytest.mark.parametrize("origin", ["studio.example", "https://a/b", "ftp://a", "https://", "https://*.a"])
def test_what_is_no_origin_is_no_setting(origin: str) -> None:
    with pytest.raises(ValidationError, match=r"https://studio\.example"):
        Settings(allowed_origins=origin)
