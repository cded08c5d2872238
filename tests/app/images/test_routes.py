"""Uploads: what is taken, what is refused, and that a refusal leaves nothing behind."""

import errno
import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image

from app.http.services import Services
from app.main import create_app
from app.media.webm import Element
from app.settings import Settings
from app.storage import FolderStorage
from tests.support import clips
from tests.support import strange_pictures as strange
from tests.support.apps import lent_app
from tests.support.ebml import element, webm
from tests.support.heics import heic
from tests.support.mp4s import nested


def upload(client: TestClient, data: bytes, name: str = "a.png") -> Response:
    return client.post("/v1/images", files={"image": (name, data)})


def files_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "files").rglob("*") if path.is_file()]


def test_an_upload_can_be_looked_at_fetched_and_deleted(client: TestClient, settings: Settings) -> None:
    data = strange.plain(size=(24, 16))
    answer = upload(client, data, "sea & sky.png")
    assert answer.status_code == 201
    image = answer.json()
    assert answer.headers["location"] == f"/v1/images/{image['id']}"
    assert (image["width"], image["height"], image["media_type"]) == (24, 16, "image/png")
    assert (image["bytes"], image["name"]) == (len(data), "sea & sky.png")
    assert image["sha256"] == hashlib.sha256(data).hexdigest()
    assert client.get(answer.headers["location"]).json() == image
    content = client.get(image["url"])
    assert content.content == data and content.headers["content-type"] == "image/png"
    assert client.delete(answer.headers["location"]).status_code == 204
    assert client.get(image["url"]).status_code == 404
    assert client.delete(answer.headers["location"]).json()["type"] == "unknown_image"
    assert files_in(settings.data_dir) == []


def test_uploads_are_listed_from_the_newest_with_those_that_nothing_names(client: TestClient) -> None:
    ids = [upload(client, strange.plain(size=(24, 16)), f"{number}.png").json()["id"] for number in range(5)]
    job = client.post("/v1/jobs", json={"kind": "deep_dream", "params": {"image": ids[3]}}).json()
    page = client.get("/v1/images", params={"limit": 3}).json()
    rest = client.get("/v1/images", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert [image["id"] for image in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None and page["items"][0]["name"] == "4.png"

    def listed(unused: bool) -> list[str]:
        answer = client.get("/v1/images", params={"unused": unused}).json()
        return [image["id"] for image in answer["items"]]

    assert (listed(True), listed(False)) == ([ids[4], *ids[2::-1]], [ids[3]])
    # Ended jobs count too: they can be tried again.
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert listed(False) == [ids[3]]
    client.delete(f"/v1/jobs/{job['id']}")
    assert listed(False) == []


def test_a_rotated_photo_is_measured_as_displayed(client: TestClient) -> None:
    image = upload(client, strange.rotated(6, "JPEG", size=(24, 16))).json()
    assert (image["width"], image["height"]) == (16, 24)


@pytest.mark.parametrize("make", [clips.gif, clips.webp, clips.mp4, clips.webm])
def test_a_clip_is_kept_with_its_frames(client: TestClient, make: Callable[[], bytes]) -> None:
    data = make()
    image = upload(client, data, "waves").json()
    assert (image["width"], image["height"], image["frames"]) == (32, 24, 5)
    content = client.get(image["url"])
    assert content.content == data and content.headers["content-type"] == image["media_type"]


@pytest.mark.parametrize("make", [clips.webp, clips.mp4])
def test_a_clip_is_no_picture_for_a_kind_that_needs_one(
    client: TestClient, settings: Settings, make: Callable[[], bytes]
) -> None:
    clip = upload(client, make()).json()["id"]
    still = upload(client, strange.noise()).json()["id"]
    answer = client.post("/v1/style-transfer", json={"content": clip, "style": still})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "content" and "clip" in error["detail"]
    sent = client.post("/v1/style-transfer", files={"content": make(), "style": strange.noise()})
    assert sent.status_code in (415, 422) and sent.json()["field"] == "content"
    params = {"image": clip, "network": "vgg19-random"}
    assert client.post("/v1/deep-dream", json=params).status_code == 202
    form = {"params": json.dumps({"network": "vgg19-random"})}
    assert client.post("/v1/deep-dream", files={"image": make()}, data=form).status_code == 202


REFUSED: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "0 bytes": (lambda: b"", 422, "empty"),
    "text": (lambda: b"this is no picture at all", 415, "not a picture"),
    "truncated PNG": (lambda: strange.noise()[:-40], 422, "cut off"),
    "truncated JPEG": (lambda: strange.noise("JPEG")[:-40], 422, "cut off"),
    "truncated WebP": (lambda: strange.noise("WEBP")[:-40], 422, "cut off"),
    "169 megapixels in 20 kB": (strange.bomb, 413, "at most 64"),
    "animated PNG": (lambda: strange.animated("PNG"), 422, "frame"),
    "clip that is cut off": (lambda: clips.mp4()[:-40], 422, "cut off"),
    "clip of too many frames": (lambda: clips.mp4(601, size=(16, 16)), 413, "600"),
    "boxes 2000 deep": (lambda: clips.mp4()[:32] + nested(b"moov", 2000), 422, "damaged"),
    "numbers of 200 bytes": (lambda: webm(info=element(Element.TIMESTAMP_SCALE, b"x" * 200)), 422, "number"),
    "a length that is none": (
        lambda: webm(info=element(Element.DURATION, struct.pack(">d", math.nan))),
        422,
        "no number",
    ),
    "TGA": (lambda: strange.plain("TGA"), 415, "TGA"),
}


@pytest.mark.medium
@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_the_field_and_stores_nothing(
    client: TestClient, settings: Settings, name: str
) -> None:
    make, status, hint = REFUSED[name]
    answer = upload(client, make())
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["field"] == "image" and hint.lower() in problem["detail"].lower()
    assert files_in(settings.data_dir) == []


@pytest.mark.parametrize("format", ["HEIC", "AVIF", "BMP", "TIFF"])
def test_formats_that_browsers_may_not_show_are_kept_as_they_came(client: TestClient, format: str) -> None:
    data = heic(np.zeros((32, 48, 3), np.uint8)) if format == "HEIC" else strange.plain(format, size=(48, 32))
    image = upload(client, data, f"IMG_1.{format}").json()
    assert image["media_type"] == f"image/{format.lower()}"
    assert (image["width"], image["height"]) == (48, 32)
    answer = client.get(image["url"])
    assert (answer.content, answer.headers["content-type"]) == (data, image["media_type"])
    still = {"content": image["id"], "style": image["id"]}
    assert client.post("/v1/style-transfer", json=still).status_code == 202


def test_a_gif_of_one_frame_is_a_picture_and_one_of_several_is_named(client: TestClient) -> None:
    one = upload(client, strange.plain("GIF"), "one.gif").json()["id"]
    several = upload(client, clips.gif(), "several.gif").json()["id"]
    answer = client.post("/v1/style-transfer", json={"content": one, "style": one})
    assert answer.status_code == 202
    answer = client.post("/v1/style-transfer", json={"content": several, "style": one})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"].startswith("several.gif is a clip")


@pytest.mark.parametrize(
    "make",
    [
        lambda: strange.plain(size=(1, 1)),
        lambda: strange.grey16([[0, 65535], [32768, 1]]),
        lambda: strange.palette_png(),
        lambda: strange.cmyk_jpeg(),
        lambda: strange.rotated(8),
    ],
    ids=["1x1", "16 bit", "palette with transparency", "CMYK", "EXIF-rotated"],
)
def test_strange_but_good_pictures_are_taken(client: TestClient, make: Callable[[], bytes]) -> None:
    assert upload(client, make()).status_code == 201


@pytest.fixture
def small_client(settings: Settings) -> Iterator[TestClient]:
    limited = settings.model_copy(update={"max_image_bytes": 3000, "max_request_bytes": 6000})
    with lent_app(limited) as app, TestClient(app) as client:
        yield client


def test_a_file_over_its_limit_is_413(small_client: TestClient) -> None:
    answer = upload(small_client, strange.noise(size=(64, 20)))
    assert answer.status_code == 413 and answer.json()["field"] == "image"
    assert "3" in answer.json()["detail"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/v1/images", "/v1/style-transfer", "/v1/jobs"])
def test_a_request_over_its_limit_is_413_also_in_chunks(
    small_client: TestClient, path: str, chunked: bool
) -> None:
    boundary = "x"
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    body += b"\0" * 10_000 + b"\r\n--x--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    if path == "/v1/jobs":
        headers = {"content-type": "application/json"}

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    answer = small_client.post(path, content=pieces() if chunked else body, headers=headers)
    assert answer.status_code == 413, answer.text
    assert answer.json()["type"] == "request_too_large" and "6,000" in answer.json()["detail"]


def test_a_missing_file_names_the_field(client: TestClient) -> None:
    answer = client.post("/v1/images", files={"photo": ("a.png", b"x")})
    assert answer.status_code == 422 and answer.json()["field"] == "image"
    assert client.post("/v1/images").status_code == 415


def test_a_picture_that_a_job_waits_for_is_not_deleted(client: TestClient, image_id: str) -> None:
    body = {"content": image_id, "style": image_id}
    job = client.post("/v1/style-transfer", json=body).json()
    refused = client.delete(f"/v1/images/{image_id}")
    assert refused.status_code == 409 and job["id"] in refused.json()["detail"]
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.delete(f"/v1/images/{image_id}").status_code == 204


@pytest.mark.medium
def test_files_come_with_etag_ranges_and_head(client: TestClient) -> None:
    data = strange.noise(size=(64, 64))
    image = upload(client, data).json()
    url = image["url"]
    whole = client.get(url)
    etag = whole.headers["etag"]
    assert etag == f'"{image["sha256"]}"'
    assert client.get(url, headers={"if-none-match": etag}).status_code == 304
    assert client.get(url, headers={"if-none-match": '"x", *'.removesuffix(", *")}).status_code == 200
    head = client.head(url)
    assert head.status_code == 200 and head.content == b""
    assert head.headers["content-length"] == str(len(data))
    for asked, part in (("0-9", data[:10]), ("100-", data[100:]), ("-7", data[-7:]), ("5-5", data[5:6])):
        answer = client.get(url, headers={"range": f"bytes={asked}"})
        assert answer.status_code == 206 and answer.content == part
        assert answer.headers["content-range"].endswith(f"/{len(data)}")
    beyond = client.get(url, headers={"range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{len(data)}"
    stale = client.get(url, headers={"range": "bytes=0-9", "if-range": '"old"'})
    assert stale.status_code == 200 and stale.content == data


def test_answers_to_a_page_of_another_site_are_refused(client: TestClient) -> None:
    data = {"image": ("a.png", strange.plain())}
    refused = client.post("/v1/images", files=data, headers={"origin": "https://elsewhere.example"})
    assert refused.status_code == 403 and refused.json()["type"] == "cross_origin"
    same = client.post("/v1/images", files=data, headers={"origin": "http://testserver"})
    assert same.status_code == 201


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/healthz", "/v1/nothing", "/v1/kinds"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_full_disk_is_507(client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    # A disk cannot be filled without root, so the system call is what fails.
    monkeypatch.setattr(os, "fsync", full)
    answer = upload(client, strange.plain())
    monkeypatch.undo()
    assert answer.status_code == 507 and answer.json()["type"] == "storage_full"
    assert files_in(services.settings.data_dir) == []


def test_what_is_fetched_is_a_picture(client: TestClient) -> None:
    url = upload(client, strange.plain(size=(5, 4))).json()["url"]
    assert Image.open(BytesIO(client.get(url).content)).size == (5, 4)


@pytest.mark.medium
def test_a_start_clears_away_what_killed_writers_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = settings.data_dir / "files" / ".tmp"
    temporary.mkdir(parents=True)
    (temporary / "left").write_bytes(b"half of a picture")
    with TestClient(create_app(settings)):
        assert (temporary / "left").exists()
    # A day, after which a file is no longer somebody's who still writes, cannot be waited for.
    monkeypatch.setattr(FolderStorage.clean_leftovers, "__defaults__", (0.0,))
    with TestClient(create_app(settings)):
        assert not (temporary / "left").exists()


@pytest.mark.parametrize("name", ['a "b".png', "Grüße, 100 %.png", "a%20b.png", "a'b&c#d?.png"])
def test_a_file_keeps_its_name_whatever_it_is(client: TestClient, name: str) -> None:
    sent = client.post("/v1/images", files={"image": (name, strange.plain())})
    assert sent.json()["name"] == name
