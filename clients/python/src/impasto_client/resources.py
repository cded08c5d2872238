"""What a service has, for code that blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from impasto_client._core import datasets, images, networks
from impasto_client._core.driving import iterate, run
from impasto_client._core.jobs import get_job, list_jobs, list_query
from impasto_client._core.session import Session
from impasto_client._core.submitting import submit
from impasto_client._generated.models import (
    AddedView,
    DatasetDetail,
    DatasetView,
    ImageView,
    MemberView,
    NetworkView,
    State,
    Statistics,
)
from impasto_client.job import Job
from impasto_client.options import Priority
from impasto_client.pictures import Picture

AnyPath = str | os.PathLike[str]


class Jobs:
    """The jobs of a service."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(
        self,
        kind: str,
        params: Mapping[str, Any],
        *,
        priority: Priority | None = None,
        reproducible: bool = False,
        idempotency_key: str | None = None,
    ) -> Job[Any]:
        """Ask for a job of any kind; pictures in its params may be files."""
        options = {"priority": priority, "reproducible": reproducible, "idempotency_key": idempotency_key}
        return Job(run(submit(self._session, kind, {**params, **options})))

    def get(self, job_id: str) -> Job[Any]:
        """The job of an id. Raises NotFound."""
        return Job(run(get_job(self._session, job_id)))

    def list(
        self,
        *,
        kind: str | Iterable[str] = (),
        state: State | Iterable[State] = (),
        batch: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Iterator[Job[Any]]:
        """Jobs from the newest on, asked for as they are needed; ``batch`` is an id, or `none`."""
        query = list_query(kind, state, batch, created_after, created_before)
        return (Job(core) for core in iterate(list_jobs(self._session, query)))


class Images:
    """The pictures that were uploaded to a service."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def upload(self, picture: Picture) -> ImageView:
        """Upload a picture, or a short clip, for as many jobs as you like.

        If an answer is lost on the way, the service may keep an unused copy.
        """
        return run(images.store(self._session, picture))

    def get(self, image_id: str) -> ImageView:
        """The properties of a picture. Raises NotFound."""
        return run(images.get(self._session, image_id))

    def save(self, image_id: str, path: AnyPath) -> Path:
        """Write the uploaded file, byte for byte."""
        return run(images.save(self._session, image_id, Path(path)))

    def delete(self, image_id: str) -> None:
        """Delete a picture that no set and no waiting job needs. Raises Conflict."""
        run(images.delete(self._session, image_id))


class Datasets:
    """The sets of pictures of a service. Each is named by its name or id."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(
        self,
        name: str,
        pictures: AnyPath | None = None,
        *,
        labels: AnyPath | None = None,
        label: str | None = None,
        close: bool = True,
        timeout: float | None = None,
    ) -> DatasetDetail:
        """Make a set of a folder or a ZIP, and wait until the service has checked it.

        Pictures are labelled by the folder that they lie in, by a table ``labels.csv`` in it or given as
        ``labels`` (columns ``file`` and ``label``), or all by ``label``. Without pictures the set is open,
        for ``add``. Raises JobFailed for a ZIP that cannot be used.
        """
        made = datasets.create(
            self._session,
            name,
            None if pictures is None else Path(pictures),
            labels=None if labels is None else Path(labels),
            label=label,
            close=close,
            timeout=timeout,
        )
        return run(made)

    def built_in(
        self,
        source: Literal["digits", "palette", "cifar10"],
        name: str | None = None,
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> DatasetDetail:
        """A set that the service makes itself; ``palette`` takes ``classes, count, seed, size``."""
        return run(datasets.built_in(self._session, source, name, options, timeout))

    def add(
        self,
        dataset: str,
        pictures: AnyPath,
        *,
        labels: AnyPath | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> DatasetDetail:
        """Add the pictures of a folder or a ZIP to an open set, and wait until they are there."""
        added = datasets.add(
            self._session,
            dataset,
            Path(pictures),
            labels=None if labels is None else Path(labels),
            label=label,
            timeout=timeout,
        )
        return run(added)

    def add_images(self, dataset: str, members: Iterable[Mapping[str, Any]]) -> AddedView:
        """Add uploaded pictures: ``{"image": id, "label": ..., "name": ..., "boxes": ...}`` each."""
        return run(datasets.add_images(self._session, dataset, members))

    def get(self, dataset: str) -> DatasetDetail:
        """A set with its labels and parts. Raises NotFound."""
        return run(datasets.get(self._session, dataset))

    def list(self) -> Iterator[DatasetView]:
        """Sets from the newest on, asked for as they are needed."""
        return iterate(datasets.list_all(self._session))

    def members(
        self,
        dataset: str,
        *,
        label: str | None = None,
        part: Literal["train", "validation", "test"] | None = None,
    ) -> Iterator[MemberView]:
        """The members of a set, in order, asked for as they are needed."""
        return iterate(datasets.members(self._session, dataset, label, part))

    def close(self, dataset: str) -> DatasetDetail:
        """Close a set: it never changes from then on."""
        return run(datasets.close(self._session, dataset))

    def rename(self, dataset: str, name: str) -> DatasetDetail:
        """Rename a set."""
        return run(datasets.rename(self._session, dataset, name))

    def relabel(
        self,
        dataset: str,
        name: str,
        *,
        labels: Mapping[str, str | None] | None = None,
        rename: Mapping[str, str | None] | None = None,
        drop: Iterable[str | int] = (),
    ) -> DatasetDetail:
        """Make a set ``name`` of the same pictures: ``labels`` by member, ``rename`` by old label."""
        changes = {"labels": dict(labels or {}), "rename": dict(rename or {}), "drop": [*drop]}
        return run(datasets.relabel(self._session, dataset, name, changes))

    def statistics(self, dataset: str) -> Statistics:
        """What a set is like: classes, identical pictures, contradictions, sizes."""
        return run(datasets.statistics(self._session, dataset))

    def contact_sheet(self, dataset: str, path: AnyPath, **options: Any) -> Path:
        """Write a JPEG with a row of pictures a class; options: ``columns, side, skip, part``."""
        return run(datasets.contact_sheet(self._session, dataset, Path(path), options))

    def delete(self, dataset: str) -> None:
        """Delete a set with the pictures that came with it. Raises Conflict."""
        run(datasets.delete(self._session, dataset))


class Networks:
    """The networks of a service."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, *, sha256: str | None = None) -> Iterator[NetworkView]:
        """The shipped networks, then others; ``sha256``: only those with these weights."""
        return iterate(networks.list_all(self._session, sha256))

    def get(self, name: str) -> NetworkView:
        """A network with its layers. Raises NotFound."""
        return run(networks.get(self._session, name))

    def import_file(self, path: AnyPath, name: str | None = None) -> NetworkView:
        """Import a network from a file that ``export`` wrote, under its own name or another."""
        return run(networks.import_file(self._session, Path(path), name))

    def export(self, name: str, path: AnyPath) -> Path:
        """Write a network to a safetensors file; where it was written."""
        return run(networks.export(self._session, name, Path(path)))

    def rename(self, name: str, new_name: str) -> NetworkView:
        """Rename a network that was imported or trained."""
        return run(networks.rename(self._session, name, new_name))

    def delete(self, name: str) -> None:
        """Delete a network that was imported or trained. Raises Conflict."""
        run(networks.delete(self._session, name))
