"""The page's HTML and static files, as any client gets them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.web.router import STATIC, mount_static, router, static_version

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(router)
    mount_static(app)
    with TestClient(app) as client:
        yield client


def test_the_page_asks_to_be_checked_and_its_files_to_be_kept(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    links = re.findall(r'(?:href|src)="(/[^"]+)"', page.text)
    assert len(links) >= 6
    for link in links:
        assert client.get(link).headers["cache-control"] == IMMUTABLE, link


def test_head_of_the_page(client: TestClient) -> None:
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_file_under_an_old_version_is_not_kept(client: TestClient) -> None:
    old = client.get("/static/0123456789abcdef/main.js")
    assert old.content == (STATIC / "main.js").read_bytes()
    assert old.headers["cache-control"] == "public, no-cache"
    again = client.get("/static/0123456789abcdef/main.js", headers={"If-None-Match": old.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["x/nothing.js", "main.js", "x/../router.py", "x/..%2frouter.py", "x/"])
def test_there_is_nothing_else(client: TestClient, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


def test_the_version_follows_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.router.STATIC", tmp_path)
    (tmp_path / "a.js").write_text("one")
    first = static_version()
    (tmp_path / "a.js").write_text("other")
    second = static_version()
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    third = static_version()
    (tmp_path / "b.js").rename(tmp_path / "a.js")
    assert len({first, second, third}) == 3
    assert static_version() == second


def test_nothing_needs_more_than_the_content_security_policy_allows(client: TestClient) -> None:
    """No inline script or style, no event attributes, nothing from elsewhere."""
    html = client.get("/").text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for text in [html, *(path.read_text() for path in STATIC.glob("*.*"))]:
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}


def test_modules_import_what_is_there() -> None:
    for module in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text()):
            assert (STATIC / name).is_file(), f"{module.name} imports {name}"
