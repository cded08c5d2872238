"""Small copies of pictures."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.http.services import Services
from app.images import thumbnails
from app.images.repository import image_key
from app.jobs import claims
from app.jobs.job import Artifact
from app.jobs.states import State
from tests.support import clips
from tests.support import strange_pictures as strange
from tests.support.claiming import claim_by_id
from tests.support.heics import heic
from tests.support.tiffs import tiff

MUCH_TEXT = strange.chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 2_000_000))


def upload(client: TestClient, data: bytes) -> str:
    url: str = client.post("/v1/images", files={"image": ("a", data)}).json()["url"]
    return url


def picture(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


@pytest.mark.medium
@pytest.mark.parametrize(("side", "size"), [(160, (160, 80)), (320, (320, 160)), (640, (500, 250))])
def test_it_is_as_small_as_asked_for_and_never_larger_than_the_file(
    client: TestClient, side: int, size: tuple[int, int]
) -> None:
    url = upload(client, strange.plain(size=(500, 250), color=(200, 80, 40)))
    answer = client.get(f"{url}?side={side}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    small = picture(answer.content)
    assert small.size == size
    color = small.convert("RGB").getpixel((70, 30))
    assert isinstance(color, tuple)
    assert all(abs(a - b) < 8 for a, b in zip(color, (200, 80, 40), strict=True))


def test_only_a_few_sides_are_made(client: TestClient) -> None:
    answer = client.get(f"{upload(client, strange.plain())}?side=321")
    assert answer.status_code == 422 and answer.json()["field"] == "side"


def test_a_client_that_has_it_is_told_so(client: TestClient) -> None:
    url = upload(client, strange.plain(size=(400, 400)))
    tags = {side: client.get(f"{url}?side={side}").headers["etag"] for side in (160, 320)}
    tags[0] = client.get(url).headers["etag"]
    assert len(set(tags.values())) == 3
    again = client.get(f"{url}?side=320", headers={"If-None-Match": tags[320]})
    assert again.status_code == 304 and not again.content
    assert client.get(f"{url}?side=320", headers={"If-None-Match": tags[160]}).status_code == 200


def test_a_rotated_photo_is_shown_upright(client: TestClient) -> None:
    data = tiff(np.zeros((240, 480, 3), np.uint8), tags={274: 6})
    for url in (upload(client, strange.rotated(6, "JPEG", size=(480, 240))), upload(client, data)):
        assert picture(client.get(f"{url}?side=160").content).size == (80, 160)


@pytest.mark.parametrize(
    "data",
    [
        strange.plain(mode="RGBA", color=(200, 120, 40, 128)),
        strange.palette_png(),
        strange.cmyk_jpeg(),
        strange.grey16([[0, 65535], [30000, 1000]]),
        strange.plain("TIFF", mode="RGBA", color=(200, 120, 40, 128)),
        tiff(np.zeros((4, 6, 3), np.uint16), ">"),
        clips.gif(),
        clips.webp(),
        strange.plain("BMP"),
        strange.plain("AVIF"),
        heic(np.zeros((32, 48, 3), np.uint8)),
        strange.raw_png(1, 1, [b"\0\0\0"], before=MUCH_TEXT),
        strange.plain("JPEG")[:-2],
    ],
    ids=[
        "RGBA",
        "palette",
        "CMYK",
        "grey of 16 bits",
        "TIFF",
        "TIFF of 16 bits",
        "GIF",
        "WebP that moves",
        "BMP",
        "AVIF",
        "HEIC",
        "PNG with much text",
        "JPEG without an end",
    ],
)
def test_every_sort_of_picture(client: TestClient, data: bytes) -> None:
    url = upload(client, data)
    answer = client.get(f"{url}?side=160")
    assert answer.status_code == 200
    uploaded = client.get(url.removesuffix("/content")).json()
    assert picture(answer.content).size == (uploaded["width"], uploaded["height"])
    # The file itself is kept as it came.
    assert client.get(url).content == data


@pytest.mark.parametrize("kind", ["png", "<", ">"])
def test_grey_of_16_bits_keeps_its_tones(client: TestClient, kind: str) -> None:
    levels = [[0, 0, 65535, 65535]] * 4
    grey = strange.grey16(levels) if kind == "png" else tiff(np.array(levels, np.uint16)[..., None], kind)
    url = upload(client, grey)
    small = picture(client.get(f"{url}?side=160").content).convert("L")
    assert small.getextrema() == (0, 255)


def test_transparency_is_kept(client: TestClient) -> None:
    url = upload(client, strange.plain(size=(200, 200), mode="RGBA", color=(200, 120, 40, 0)))
    assert picture(client.get(f"{url}?side=160").content).getchannel("A").getextrema() == (0, 0)


def test_what_a_camera_wrote_beside_the_pixels_is_not_in_it(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8825)[2] = (47.0, 22.0, 0.0)
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        url = upload(client, strange.plain(format, exif=exif))
        small = picture(client.get(f"{url}?side=160").content)
        assert not small.getexif() and set(small.info) <= {"background", "loop", "timestamp", "duration"}


def test_it_is_made_once(client: TestClient, services: Services) -> None:
    url = upload(client, strange.noise(size=(200, 100), seed=77))
    first = client.get(f"{url}?side=160").content
    services.storage.delete(image_key(url.split("/")[3]))
    assert client.get(url).status_code == 404
    assert client.get(f"{url}?side=160").content == first


def test_those_that_are_kept_have_a_limit() -> None:
    kept = thumbnails._Kept(10)
    for key in "abc":
        kept.add(key, b"four")
    assert [kept.get(key) for key in "abc"] == [None, b"four", b"four"]
    kept.get("b")
    kept.add("d", b"four")
    assert [kept.get(key) for key in "bcd"] == [b"four", None, b"four"]


@pytest.mark.medium
def test_others_do_not_wait_for_fifty(client: TestClient) -> None:
    """While no picture can be decoded, fifty thumbnails wait, and the service answers."""
    urls = [upload(client, strange.noise(seed=1000 + number)) for number in range(50)]
    with ThreadPoolExecutor(50) as threads:
        taken = thumbnails._room.take(thumbnails.PIXELS_AT_A_TIME)
        try:
            asked = [threads.submit(client.get, f"{url}?side=160") for url in urls]
            for _ in range(50):
                assert client.get("/healthz").status_code == 200
                assert client.get(urls[0]).status_code == 200
            assert not any(each.done() for each in asked)
        finally:
            thumbnails._room.give(taken)
        assert {each.result().status_code for each in asked} == {200}


def test_what_cannot_be_shrunk_is_told(client: TestClient) -> None:
    film = client.get(f"{upload(client, clips.mp4())}?side=160")
    assert film.status_code == 415 and film.json()["field"] == "side"
    # Checksums that are right, over pixels that end too early.
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    parts = (("IHDR", header), ("IDAT", zlib.compress(b"abc")), ("IEND", b""))
    spoilt = b"\x89PNG\r\n\x1a\n" + b"".join(strange.chunk(name.encode(), body) for name, body in parts)
    answer = client.get(f"{upload(client, spoilt)}?side=160")
    assert answer.status_code == 415 and "decode" in answer.json()["detail"]


def test_what_a_job_made_has_them_too(client: TestClient, services: Services) -> None:
    content, style = (upload(client, strange.noise(seed=seed)).split("/")[3] for seed in (1, 2))
    job = client.post("/v1/style-transfer", json={"content": content, "style": style}).json()
    claim = claim_by_id(services.engine, job["id"], "w", 30)
    assert claim is not None
    made = []
    for name, media_type, data in (
        ("image", "image/png", strange.plain(size=(400, 200))),
        ("recipe", "application/json", b"{}"),
    ):
        stored = services.storage.put(f"jobs/{job['id']}/1/{name}", data)
        made.append(Artifact(job["id"], name, stored.key, media_type, stored.bytes, stored.sha256))
    claims.finish(services.engine, claim, State.SUCCEEDED, made=made)
    shown = client.get(f"/v1/jobs/{job['id']}").json()["artifacts"]
    urls = {artifact["name"]: artifact["url"] for artifact in shown}
    answer = client.get(f"{urls['image']}&side=160")
    assert picture(answer.content).size == (160, 80)
    assert client.get(f"{urls['recipe']}&side=160").status_code == 415
