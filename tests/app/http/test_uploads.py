"""Forms whose files are stored while they arrive."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.errors import InvalidForm, JsonTooLarge
from app.http.uploads import _parts
from app.settings import Settings
from tests.support.service import wait_for
from tests.support.zips import class_folders, zipped

Form = list[tuple[str, str | None, bytes]]


def encoded(parts: Form) -> bytes:
    out = b""
    for name, filename, data in parts:
        more = "" if filename is None else f'; filename="{filename}"'
        out += (
            f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        )
    return out + b"--xyz--\r\n"


def read(data: bytes, size: int) -> Form:
    chunks = iter([data[at : at + size] for at in range(0, len(data), size)])
    found = _parts(b"xyz", lambda: next(chunks, b""))
    return [(part.name, part.filename, b"".join(part.chunks)) for part in found]


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(1, 200))
def test_parts_are_the_same_however_they_arrive(contents: list[bytes], size: int) -> None:
    form: Form = [(f"part{n}", None if n % 2 else f"ü{n}.zip", data) for n, data in enumerate(contents)]
    form = [part for part in form if b"--xyz" not in part[2]]
    if form:
        assert read(encoded(form), size) == form


def test_a_part_that_is_not_read_is_passed_over() -> None:
    form: Form = [("a", None, b"x" * 999), ("b", None, b"{}")]
    chunks = iter([encoded(form)])
    assert [part.name for part in _parts(b"xyz", lambda: next(chunks, b""))] == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        encoded([("a", None, b"x")])[:-9],
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--\r\n",
        encoded([("a", None, b"x")] * 20),
        b"--xyz\r\n" + b"A: " + b"b" * 9000 + b"\r\n\r\nx\r\n--xyz--\r\n",
    ],
)
def test_what_is_no_form_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidForm):
        read(data, 50)


def test_a_boundary_is_short() -> None:
    with pytest.raises(InvalidForm, match="256"):
        next(_parts(b"y" * 300, lambda: b""))


def test_texts_are_limited() -> None:
    def parts() -> Iterator[bytes]:
        yield b'--xyz\r\nContent-Disposition: form-data; name="params"\r\n\r\n'
        while True:
            yield b"x" * 1000

    endless = parts()
    (part,) = [next(_parts(b"xyz", lambda: next(endless)))]
    with pytest.raises(JsonTooLarge):
        part.read(10_000)


def stored(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]


@pytest.mark.medium
def test_a_connection_that_breaks_off_leaves_nothing(address: str, settings: Settings) -> None:
    url = urlsplit(address)
    body = encoded([("params", None, b'{"name": "a"}'), ("file", "a.zip", bytes(3_000_000))])
    head = (
        f"POST /v1/datasets HTTP/1.1\r\nHost: testserver\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + body[:2_000_000])
        # The bytes go where they stay as they arrive.
        wait_for(lambda: sum(path.stat().st_size for path in stored(settings)) > 1_000_000)
    wait_for(lambda: not stored(settings))
    headers = {"Host": "testserver"}
    assert httpx.get(f"{address}/v1/datasets", headers=headers).json()["items"] == []
    files = {"file": zipped(class_folders(a=1))}
    again = httpx.post(
        f"{address}/v1/datasets", headers=headers, files=files, data={"params": '{"name": "a"}'}
    )
    assert again.status_code == 202, again.text
