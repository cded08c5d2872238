"""The client against a real service."""

import asyncio
import json
import socket
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image

from impasto_client import (
    AsyncClient,
    Client,
    Conflict,
    InvalidRequest,
    JobCancelled,
    JobFailed,
    NotFound,
    Retries,
    WaitTimeout,
)
from tests.support.proxy import proxied
from tests.support.service import Service, running
from tests.support.strange_pictures import noise

pytestmark = pytest.mark.server

T = TypeVar("T")
LONG = {"size": 256, "steps": 20_000}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two pictures."""
    (tmp_path / "photo.png").write_bytes(noise(seed=1))
    (tmp_path / "painting.png").write_bytes(noise(seed=2))
    return tmp_path


def test_a_job_is_controlled(service: Service, folder: Path) -> None:
    with Client(service.url) as client:
        job = client.style_transfer(folder / "photo.png", folder / "painting.png", size=256, steps=20_000)
        with pytest.raises(Conflict):
            job.delete()
        assert job.pause().view.paused
        with pytest.raises(WaitTimeout):
            job.wait(0.5)
        assert not job.resume().view.paused
        assert client.jobs.get(job.id).cancel().view.cancel_requested
        with pytest.raises(JobCancelled):
            job.save(folder / "never.png")
        again = job.retry()
        assert again.view.retry_of == job.id
        assert next(client.jobs.list()).id == again.id
        again.cancel()
        with pytest.raises(JobCancelled):
            again.wait()
        job.delete()
        with pytest.raises(NotFound):
            job.refresh()


def test_pictures_come_in_many_ways(service: Service, folder: Path) -> None:
    with Client(service.url) as client:
        photo = client.images.upload(folder / "photo.png")
        client.images.save(photo.id, folder / "copy.png")
        assert (folder / "copy.png").read_bytes() == noise(seed=1)
        # Ids and files in one param; the files are uploaded.
        styles = [photo, folder / "painting.png"]
        job = client.style_transfer(noise(seed=3), styles, size=32, steps=2, priority="urgent")
        assert Image.open(BytesIO(job.image)).size == (32, 21)
        assert len(job.view.params["style"]) == 2 and job.view.priority == 6
        artifact = next(each for each in job.artifacts if each.name == "recipe")
        assert json.loads(artifact.read())["kind"] == "style_transfer"
        assert artifact.save(folder / "recipe") == folder / "recipe.json"
        with (folder / "photo.png").open("rb") as file:
            second = client.style_transfer(job, file, size=32, steps=2, reproducible=True)
        assert second.view.params["content"] == f"{job.id}/image"
        assert second.save(folder) == folder / f"style_transfer-{second.id}.png"
        first = client.style_transfer(photo, photo.id, size=32, steps=2, idempotency_key="once")
        same = client.style_transfer(photo, photo.id, size=32, steps=2, idempotency_key="once")
        assert first.id == same.id
        first.wait()
        for path in ("out.jpg", "out.csv", "out.xyz"):
            with pytest.raises(ValueError, match=r"must end in \.png"):
                first.save(folder / path)
        for picture, error in (
            ("nothing.png", FileNotFoundError),
            (7, TypeError),
            ("http://a/b.png", ValueError),
        ):
            with pytest.raises(error, match="content"):
                client.style_transfer(picture, photo)  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest) as raised:
            client.style_transfer(b"no picture", photo)
        assert raised.value.field == "content"


def test_a_job_goes_on_where_another_ended(service: Service, folder: Path) -> None:
    with Client(service.url) as client:
        pictures = folder / "photo.png", folder / "painting.png"
        first = client.style_transfer(*pictures, size=32, steps=2, keep_state=True)
        # A job, its id, or its picture; the pictures and params that are left out are those of the first.
        for given, named in (
            (first, "state"),
            (first.wait().id, "state"),
            (f"{first.id}/image", "image"),
        ):
            more = client.style_transfer(continue_from=given, steps=3)
            # It starts from that.
            went_on = {"continue_from": f"{first.id}/{named}", "steps": 3, "init": None}
            assert more.wait().view.params == first.view.params | went_on
        other = client.style_transfer(style=folder / "photo.png", continue_from=first, steps=2)
        assert other.view.params["content"] == first.view.params["content"]
        assert other.wait().view.params["style"] != first.view.params["style"]
        lines = [{"kind": "style_transfer", "params": {"continue_from": first, "steps": 2}}]
        batch = client.batches.create(lines).wait()
        assert [each.view.params["continue_from"] for each in client.jobs.list(batch=batch.id)] == [
            f"{first.id}/state"
        ]
        with pytest.raises(InvalidRequest) as raised:
            client.style_transfer(folder / "photo.png", steps=2)
        assert raised.value.field == "style"


def test_a_set_is_filled(service: Service, folder: Path) -> None:
    with Client(service.url) as client:
        made = client.datasets.create("drawn")
        assert (made.state, made.members) == ("open", 0)
        with zipfile.ZipFile(folder / "more.zip", "w") as packed:
            packed.write(folder / "photo.png", "photo.png")
        assert client.datasets.add("drawn", folder / "more.zip", label="a").members == 1
        photo = client.images.upload(folder / "painting.png")
        assert client.datasets.add_images("drawn", [{"image": photo.id, "label": "b"}]).added == 1
        assert client.datasets.close("drawn").state == "closed"
        assert client.datasets.rename("drawn", "renamed").name == "renamed"
        other = client.datasets.relabel("renamed", "other", rename={"b": "a"})
        assert [(each.label, each.members) for each in other.labels] == [("a", 2)]
        assert client.datasets.statistics("other").classes == 1
        assert [each.name for each in client.datasets.list()][:2] == ["other", "renamed"]
        member = next(client.datasets.members("renamed", label="b"))
        assert client.style_transfer(member, member, size=32, steps=2).wait().state == "succeeded"
        (folder / "broken").mkdir()
        (folder / "broken" / "a.png").write_bytes(b"no picture")
        with pytest.raises((JobFailed, InvalidRequest)):
            client.datasets.create("broken", folder / "broken")
        (folder / "empty").mkdir()
        with pytest.raises(ValueError, match="no picture"):
            client.datasets.create("empty", folder / "empty")
        with pytest.raises(FileNotFoundError):
            client.datasets.create("nothing", folder / "nothing")


def test_nothing_is_made_twice_if_its_answer_is_lost(service: Service, folder: Path) -> None:
    with proxied(service.url) as proxy, Client(proxy.url, retries=Retries(first_delay=0.01)) as client:

        def lossy(make: Callable[[], T]) -> T:
            """What a call comes to whose first answer is lost."""
            proxy.lost = 1
            made = make()
            assert proxy.lost == 0
            return made

        def count(path: str) -> int:
            return len(service.request("GET", path, params={"limit": 100})["items"])

        before = {path: count(path) for path in ("/v1/images", "/v1/networks", "/v1/datasets")}
        photo = lossy(lambda: client.images.upload(folder / "photo.png"))
        client.networks.export("palette", folder / "palette.safetensors")
        assert (
            lossy(lambda: client.networks.import_file(folder / "palette.safetensors", "once")).name == "once"
        )
        assert lossy(lambda: client.datasets.create("lossy")).state == "open"
        members = [{"image": photo.id, "label": "a"}]
        assert lossy(lambda: client.datasets.add_images("lossy", members)).added == 1
        assert lossy(lambda: client.datasets.close("lossy")).members == 1
        assert (
            lossy(lambda: client.datasets.relabel("lossy", "lossy-too", rename={"a": "b"})).name
            == "lossy-too"
        )
        more = {"/v1/images": 1, "/v1/networks": 1, "/v1/datasets": 2}
        assert {path: count(path) - before[path] for path in before} == more

        job = client.style_transfer(photo, photo, **LONG)
        assert lossy(job.cancel).view.cancel_requested
        with pytest.raises(JobCancelled):
            job.wait()
        again = lossy(job.retry)
        again.cancel()
        assert [each.id for each in client.jobs.list() if each.view.retry_of == job.id] == [again.id]


def test_batches_by_asyncio(service: Service, folder: Path) -> None:
    small = {"size": 32, "steps": 2}

    async def use() -> None:
        async with AsyncClient(service.url) as client:
            pictures = {"content": folder / "photo.png", "style": str(folder / "painting.png")}
            lines = [
                {"custom_id": "good", "kind": "style_transfer", "params": pictures | small},
                {"custom_id": "bad", "kind": "style_transfer", "params": pictures | {"size": 3}},
                {
                    "custom_id": "kind",
                    "kind": "classify",
                    "params": {"image": pictures["content"], "network": "palette"},
                },
            ]
            batch = await client.batches.create(lines, errors="skip", name="three", priority="urgent")
            done = [each.done async for each in batch.progress()]
            assert done[-1] == 3 and batch.state == "failed"
            results = [each async for each in batch.results()]
            assert [(each.line, each.custom_id) for each in results] == [(1, "good"), (3, "kind")]
            assert (await results[0].save(folder / "good")).stat().st_size > 0
            assert [(each.line, each.error and each.error.field) async for each in batch.errors()] == [
                (2, "size")
            ]
            assert [each.line async for each in batch.entries("succeeded", start=2)] == [3]
            assert [each.id async for each in client.jobs.list(batch=batch.id)] == [
                results[1].job_id,
                results[0].job_id,
            ]
            await batch.save_archive(folder / "all.zip")
            with zipfile.ZipFile(folder / "all.zip") as packed:
                assert {"good.png", "results.jsonl", "errors.jsonl"} <= {*packed.namelist()}
            long = await client.batches.matrix(
                "style_transfer",
                {**LONG, "style": pictures["style"]},
                over={"content": [pictures["content"]] * 2},
            )
            assert (await long.pause()).view.paused and not (await long.resume()).view.paused
            with pytest.raises(WaitTimeout):
                await long.wait(0.5)
            assert (await (await long.cancel()).wait()).state == "cancelled"
            assert (await long.retry()).state == "running"
            await (await long.cancel()).wait()
            await long.delete()
            with pytest.raises(NotFound):
                await client.batches.get(long.id)
            assert (await anext(client.batches.list())).id == batch.id

    # In a thread, as the browser's tests leave this one's event loop running.
    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, use()).result()


@pytest.mark.slow
def test_a_wait_outlives_the_service(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"IMPASTO_PORT": str(taken.getsockname()[1]), "IMPASTO_LEASE_SECONDS": "3"}
    patient = Retries(attempts=1000, first_delay=0.2, max_delay=1)
    with running(folder / "data", **settings) as first:
        client = Client(first.url, retries=patient)
        job = client.style_transfer(folder / "photo.png", folder / "painting.png", size=48, steps=100)
        next(job.progress())
    # All its processes were killed, and nothing listens there.
    with ThreadPoolExecutor() as pool, client:
        saved = pool.submit(job.save, folder / "out.png")
        time.sleep(0.5)
        with running(folder / "data", **settings):
            assert saved.result().stat().st_size > 0
        assert job.view.attempt == 2
