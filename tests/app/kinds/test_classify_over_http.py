"""Classification over REST: the answer to the call has the classes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from tests.support import strange_pictures as strange
from worker.media.pictures import encode_png, load_picture
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next

SAMPLES = Path(__file__).parents[3] / "app" / "web" / "static" / "samples"


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """A worker of all lanes in a thread."""
    context = make_context(settings, "w1", "cpu")
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            if not run_next(context, ["short", "long"], threading.Event()):
                done.wait(0.02)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()
        context.engine.dispose()


def post(client: TestClient, files: list[tuple[str, tuple[str, bytes]]], **params: Any) -> Any:
    answer = client.post("/v1/classify", files=files, data={"params": json.dumps(params)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def sample(name: str) -> tuple[str, bytes]:
    return f"{name}.jpg", (SAMPLES / f"{name}.jpg").read_bytes()


@pytest.mark.medium
def test_one_call_says_what_is_in_a_photograph(client: TestClient, settings: Settings) -> None:
    with working(settings):
        job = post(client, [("image", sample("coffee"))])
        assert job["state"] == "succeeded", job["error"]
        result = job["result"]
        assert result["network"] == "efficientnet_lite0" == job["network"]["name"]
        assert result["top"][0]["class"] == "espresso" and len(result["top"]) == 5
        assert result["verdict"] is None and result["name"] == "coffee.jpg"
        assert [artifact["name"] for artifact in job["artifacts"]] == ["recipe"]

        several = post(client, [("images", sample("coffee")), ("images", sample("chelsea"))], top=3)
        first, second = several["result"]["pictures"]
        assert (first["name"], second["name"]) == ("coffee.jpg", "chelsea.jpg")
        assert first["top"][0]["probability"] == pytest.approx(result["top"][0]["probability"], abs=1e-5)
        assert "cat" in second["top"][0]["class"]


@pytest.mark.medium
def test_palette_knows_what_it_does_not_know(client: TestClient, settings: Settings) -> None:
    with working(settings):
        job = post(
            client,
            [("images", sample("drawn-planet")), ("images", sample("rocket"))],
            network="palette",
            figure=True,
        )
        drawn, photo = job["result"]["pictures"]
        assert (drawn["top"][0]["class"], drawn["verdict"]) == ("planet", "one of its classes")
        assert photo["verdict"] == "none of its classes"
        image = next(each for each in job["artifacts"] if each["name"] == "image")
        assert client.get(image["url"]).headers["content-type"] == "image/png"


@pytest.mark.medium
def test_a_picture_that_cannot_be_decoded_is_named_by_its_place(
    client: TestClient, settings: Settings
) -> None:
    # All checksums are right, but the pixels are no compressed stream.
    broken = strange.raw_png(24, 16, bytes(200))
    files = [("images", (f"{place}.png", strange.plain())) for place in range(3)]
    with working(settings):
        job = post(client, [*files, ("images", ("bad.png", broken))], network="palette")
    assert job["state"] == "failed"
    assert job["error"]["field"] == "images.3"


def test_a_hundred_pictures_are_taken_and_no_more(client: TestClient) -> None:
    files = [("images", (f"{place}.png", strange.plain())) for place in range(101)]
    answer = client.post("/v1/classify", files=files[:100], headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    assert len(answer.json()["params"]["images"]) == 100
    assert client.post("/v1/classify", files=files).status_code == 400


def test_what_is_missing_is_a_problem_of_its_field(client: TestClient) -> None:
    answer = client.post("/v1/classify", json={})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "image"


@pytest.mark.parametrize("temperature", [1e-300, 0, 1e5])
def test_a_temperature_that_leaves_no_probabilities_is_refused(
    client: TestClient, temperature: float
) -> None:
    answer = client.post("/v1/classify", json={"image": "x", "temperature": temperature})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "temperature"


def test_a_jpeg_is_decoded_small_to_the_same_within_a_few_levels() -> None:
    data = (SAMPLES / "chelsea.jpg").read_bytes()
    whole = load_picture(BytesIO(data), "image").rgb
    short = min(whole.shape[2:]) // 5
    small = load_picture(BytesIO(data), "image", None, short).rgb
    assert 2 * short <= min(small.shape[2:]) < min(whole.shape[2:])
    # Without a need for it, and for other formats, nothing changes.
    assert load_picture(BytesIO(data), "image", None, 10_000).rgb.equal(whole)
    png = encode_png(whole)
    assert load_picture(BytesIO(png), "image", None, 8).rgb.shape == whole.shape
