"""Names of files, escaped as browsers do, and folders of every name."""

import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.images.names import name_of_file
from app.main import create_app
from app.settings import Settings
from tests.support import strange_pictures as strange


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("sea.png", "sea.png"),
        ("%22sea%22.png", '"sea".png'),
        ("100% sea%0d%0Aor %41.png", "100% sea or %41.png"),
        ("a\0b\x7f.png", "a b .png"),
        ("", None),
        (None, None),
        ("x" * 300, "x" * 200),
        ("a\ud800.png", "a?.png"),
    ],
)
def test_a_name_is_as_it_was_on_the_disk(sent: str | None, name: str | None) -> None:
    assert name_of_file(sent) == name


def test_a_browsers_escapes_are_undone_in_uploads(client: TestClient) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="my %22sea%22.png"\r\n\r\n'
    answer = client.post(
        "/v1/images",
        content=head + strange.plain() + b"\r\n--x--\r\n",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert answer.json()["name"] == 'my "sea".png'


@pytest.mark.medium
def test_any_folder_that_the_file_system_takes_has_data_of_its_own(tmp_path: Path) -> None:
    names = ["a", "a?b#c", "a?b", "a%20b;c", "ü&=", "line\nbreak"]
    for name in names:
        settings = Settings(data_dir=tmp_path / name, database_url=None)
        with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
            stored = client.post("/v1/images", files={"image": ("a.png", strange.plain())})
            assert stored.status_code == 201
            assert len(client.get("/v1/images").json()["items"]) == 1
    assert sorted(os.listdir(tmp_path)) == sorted(names)
