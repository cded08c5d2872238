"""Sets of pictures."""

import json
import tempfile
import zipfile
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from impasto_client._core.calls import Blob, Call, Form, Json
from impasto_client._core.jobs import JobCore, get_job, list_jobs
from impasto_client._core.paging import pages
from impasto_client._core.session import Session
from impasto_client._generated.models import (
    AddedView,
    DatasetDetail,
    DatasetPage,
    DatasetView,
    MemberPage,
    MemberView,
    Statistics,
)
from impasto_client.errors import NotFound

DATASETS = "/v1/datasets"
# A set is an upload of large files; the service answers once it has checked them.
UPLOAD_SECONDS = 600.0
# To draw a contact sheet.
DRAWING_SECONDS = 300.0
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}
TABLE = "labels.csv"


async def create(
    session: Session,
    name: str,
    pictures: Path | None,
    *,
    labels: Path | None,
    label: str | None,
    close: bool,
    timeout: float | None,
) -> DatasetDetail:
    """Make a set: an open one without members, or one of a folder or a ZIP; waits until it is filled."""
    if pictures is None:
        call = Call(method="POST", path=DATASETS, body=Json({"name": name}))
        return (await session.send(call)).model(DatasetDetail)
    params = {"name": name, "close": close} | ({"label": label} if label is not None else {})
    with tempfile.TemporaryDirectory() as folder:
        form = await _zip_form(session, pictures, labels, params, Path(folder))
        answer = await session.send(_upload(DATASETS, form))
    made = answer.model(DatasetDetail)
    return await _filled(session, made, timeout)


async def built_in(
    session: Session, source: str, name: str | None, options: Mapping[str, Any], timeout: float | None
) -> DatasetDetail:
    """A set that the service makes itself; waits until it is made."""
    body = {"source": source, **options} | ({"name": name} if name is not None else {})
    made = (await session.send(Call(method="POST", path=DATASETS, body=Json(body)))).model(DatasetDetail)
    return await _filled(session, made, timeout)


async def add(
    session: Session,
    dataset: str,
    pictures: Path,
    *,
    labels: Path | None,
    label: str | None,
    timeout: float | None,
) -> DatasetDetail:
    """Add the pictures of a folder or a ZIP to an open set; waits until they are there."""
    params = {"label": label} if label is not None else {}
    with tempfile.TemporaryDirectory() as folder:
        form = await _zip_form(session, pictures, labels, params, Path(folder))
        answer = await session.send(_upload(f"{DATASETS}/{dataset}/members", form))
    await (await get_job(session, answer.json()["id"])).wait(timeout)
    return await get(session, dataset)


async def add_images(session: Session, dataset: str, members: Iterable[Mapping[str, Any]]) -> AddedView:
    """Add stored pictures to an open set; none is added twice."""
    body = Json({"members": [dict(each) for each in members]})
    call = Call(method="POST", path=f"{DATASETS}/{dataset}/members", body=body)
    return (await session.send(call)).model(AddedView)


async def get(session: Session, dataset: str) -> DatasetDetail:
    """The set of an id or name."""
    return await session.get(f"{DATASETS}/{dataset}", DatasetDetail)


async def list_all(session: Session) -> AsyncGenerator[DatasetView, None]:
    """Sets from the newest on."""
    async for page in pages(session, DATASETS, DatasetPage, {"limit": 100}):
        for view in page.items:
            yield view


async def members(
    session: Session, dataset: str, label: str | None, part: str | None
) -> AsyncGenerator[MemberView, None]:
    """The members of a set, in order."""
    query = {"limit": 1000, "label": label, "part": part}
    async for page in pages(session, f"{DATASETS}/{dataset}/members", MemberPage, query):
        for view in page.items:
            yield view


async def close(session: Session, dataset: str) -> DatasetDetail:
    """Close a set: it never changes from then on."""
    return await session.post(f"{DATASETS}/{dataset}/close", DatasetDetail)


async def rename(session: Session, dataset: str, name: str) -> DatasetDetail:
    """Rename a set."""
    # By its id: a second attempt finds it, whatever became of the first.
    found = await get(session, dataset)
    call = Call(method="PATCH", path=f"{DATASETS}/{found.id}", body=Json({"name": name}))
    return (await session.send(call)).model(DatasetDetail)


async def relabel(session: Session, dataset: str, name: str, changes: Mapping[str, Any]) -> DatasetDetail:
    """Make a set of the same pictures with other labels."""
    body = Json({"name": name, **changes})
    call = Call(method="POST", path=f"{DATASETS}/{dataset}/relabel", body=body)
    return (await session.send(call)).model(DatasetDetail)


async def statistics(session: Session, dataset: str) -> Statistics:
    """What a set is like."""
    return await session.get(f"{DATASETS}/{dataset}/statistics", Statistics)


async def contact_sheet(session: Session, dataset: str, path: Path, query: Mapping[str, Any]) -> Path:
    """Write a picture of a set, a row for each class."""
    return await session.download(f"{DATASETS}/{dataset}/contact-sheet", path, DRAWING_SECONDS, **query)


async def delete(session: Session, dataset: str) -> None:
    """Delete a set with the pictures that came with it."""
    await session.delete(f"{DATASETS}/{dataset}")


async def _filled(session: Session, made: DatasetDetail, timeout: float | None) -> DatasetDetail:
    """A set once the jobs that fill it have ended. Raises JobFailed."""
    waited = False
    for job_id in made.jobs:
        with suppress(NotFound):
            await (await get_job(session, job_id)).wait(timeout)
            waited = True
    if not waited and made.state == "open":
        # Its job may have failed before it could be named.
        failed = await _failed_job(session, made.id)
        if failed is not None:
            await failed.wait(timeout)
    return await get(session, made.id)


async def _failed_job(session: Session, dataset_id: str) -> JobCore | None:
    query = {"kind": ["import_members", "make_dataset"], "state": "failed"}
    async for job in list_jobs(session, query):
        if str(job.view.params.get("dataset", "")).partition("@")[0] == dataset_id:
            return job
    return None


def _upload(path: str, form: Form) -> Call:
    return Call(method="POST", path=path, body=form, read_seconds=UPLOAD_SECONDS)


async def _zip_form(
    session: Session, pictures: Path, labels: Path | None, params: Mapping[str, Any], folder: Path
) -> Form:
    """The form of an upload. A folder is packed into a ZIP in ``folder``."""
    if pictures.is_dir():
        packed = folder / "members.zip"
        await session.transport.in_thread(_pack, pictures, packed)
    elif pictures.is_file():
        packed = pictures
    else:
        raise FileNotFoundError(f"There is no folder or ZIP {pictures}.")
    files = [("file", Blob(packed.name, packed))]
    if labels is not None:
        files.append(("labels", Blob(labels.name, labels)))
    return Form(files, {"params": json.dumps(params)})


def _pack(folder: Path, target: Path) -> None:
    """Pack the pictures below a folder, and its table of labels. Raises ValueError if there is no picture."""
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix.lower() in PICTURES or path == folder / TABLE)
    )
    if not any(path.suffix.lower() in PICTURES for path in found):
        raise ValueError(f"There is no picture in {folder}: {', '.join(sorted(PICTURES))} are taken.")
    # Pictures are compressed already, and a file may be older than the times that a ZIP knows.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
        for path in found:
            packed.write(path, path.relative_to(folder).as_posix())
