"""Follows a batch of a service, and fetches what its entries make as they end."""

import hashlib
import json
import mimetypes
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from app.batches.batch import ENDED, BatchState
from app.cli.batch.entries import Entry, failure
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import Files, OutputFolder
from app.cli.service_client import RETRY_SECONDS, answer, check_stream, events, insist, path_below
from app.jobs.job import Json

# It is in the result, and in the picture.
_LEFT_OUT = frozenset({"recipe"})
_CHUNK = 1 << 18
T = TypeVar("T")


class _Gone(Exception):
    """A file that an entry made was deleted."""


@dataclass(frozen=True)
class Fetcher:
    """Fetches entries of a batch into a folder: ``wanted`` are those that it lacks, by line."""

    client: httpx.Client
    batch_id: str
    folder: OutputFolder
    wanted: Mapping[int, Entry]
    keys: Mapping[str, str]
    progress: BatchProgress
    _fetched: set[int] = field(default_factory=set)
    # By what was told last: they may be tried again.
    _failed: set[int] = field(default_factory=set)
    # Of what was made and then deleted: as in `failures`.
    gone: list[Json] = field(default_factory=list)

    def resume(self) -> bool:
        """Whether the batch is there. If it has ended, what failed or was cancelled is tried again."""
        while True:
            response = insist(lambda: self.client.get(self._path), self.progress.say)
            if response.status_code == httpx.codes.NOT_FOUND:
                return False
            batch = answer(response)
            if batch["state"] in ENDED or not batch["cancel_requested"]:
                break
            self.progress.say("cancelling")
            time.sleep(RETRY_SECONDS)
        if batch["state"] in (BatchState.FAILED, BatchState.CANCELLED):
            answer(insist(lambda: self.client.post(f"{self._path}/retry"), self.progress.say))
        return True

    def follow(self) -> Json:
        """Fetch entries as they end until the batch has; the view of the batch.

        Goes on after a broken connection. Raises OSError if the folder cannot be written to.
        """
        return follow(self.client, self.batch_id, self._take, self.progress, look=self.fetch_present)

    def fetch_present(self) -> None:
        """Fetch those that have succeeded by now. Raises httpx.TransportError."""
        for line in lines_of(self.client, f"{self._path}/results"):
            if line["line"] in self.wanted and line["line"] not in self._fetched:
                self._forget_failure(line["line"])
                self._fetch(line["line"], line["job_id"], line["artifacts"], line["result"])

    def failures(self) -> list[Json]:
        """What ``errors.jsonl`` says of those that failed or were cancelled."""
        found = [*self.gone]
        lines = until_answered(lambda: list(lines_of(self.client, f"{self._path}/errors")), self.progress)
        for line in lines:
            entry = self.wanted.get(line["line"])
            if entry is not None:
                found.append({**line, "line": entry.line, "custom_id": entry.custom_id, "kind": entry.kind})
        return found

    @property
    def _path(self) -> str:
        return f"/v1/batches/{self.batch_id}"

    def _take(self, kind: str, event: Json) -> None:
        if kind != "entry" or event["line"] not in self.wanted or event["line"] in self._fetched:
            return
        line, state = event["line"], event["state"]
        if state in ("failed", "cancelled"):
            if line not in self._failed:
                self._failed.add(line)
                self.progress.failed()
            return
        self._forget_failure(line)
        if state == "succeeded":
            job = self._get(f"/v1/jobs/{event['job_id']}")
            self._fetch(line, job["id"], job["artifacts"], job["result"])

    def _forget_failure(self, line: int) -> None:
        if line in self._failed:
            self._failed.remove(line)
            self.progress.again()

    def _get(self, path: str) -> Json:
        return answer(insist(lambda: self.client.get(path), self.progress.say))

    def _fetch(self, line: int, job_id: str, artifacts: list[Json], result: Json | None) -> None:
        entry, files = self.wanted[line], Files()
        try:
            for artifact in artifacts:
                if artifact["name"] not in _LEFT_OUT:
                    ending = mimetypes.guess_extension(artifact["media_type"], strict=False) or ".bin"
                    content = self._download(artifact)
                    saved = self.folder.save(entry.custom_id, artifact["name"], ending, content)
                    files[artifact["name"]] = saved
        except _Gone:
            detail = f"The file of job {job_id} was deleted: run it anew under another custom_id."
            error = {"type": "file_gone", "title": "Gone", "detail": detail, "field": None}
            self.gone.append(failure(entry, error))
            self.progress.failed()
        else:
            self.folder.add(entry, self.keys[entry.custom_id], files, {"job_id": job_id, "result": result})
            self.progress.done()
        self._fetched.add(line)

    def _download(self, artifact: Json) -> Iterator[bytes]:
        """The bytes of an artifact. Raises httpx.TransportError if they are not those that it has."""
        digest = hashlib.sha256()
        with self.client.stream("GET", path_below(self.client, artifact["url"])) as response:
            if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                raise _Gone
            check_stream(response)
            for chunk in response.iter_bytes(_CHUNK):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != artifact["sha256"]:
            raise httpx.ReadError("a file ended early")


def follow(
    client: httpx.Client,
    batch_id: str,
    take: Callable[[str, Json], object],
    progress: BatchProgress,
    *,
    replay: bool = True,
    look: Callable[[], object] = lambda: None,
) -> Json:
    """Follow a batch until it has ended, also over a broken connection; its view.

    ``take`` gets the type and the data of each event: without ``replay`` only of those from now on.
    ``look`` is called before and after the events, for what they do not tell.
    """
    path = f"/v1/batches/{batch_id}"
    query = "" if replay else "?replay=false"
    last_id: str | None = None

    def attempt() -> Json:
        nonlocal last_id
        look()
        for identity, kind, data in events(client, f"{path}/events{query}", last_id):
            last_id = identity or last_id
            if kind != "entry":
                progress.say("paused" if data["paused"] else data["state"])
            take(kind, data)
        look()
        return answer(insist(lambda: client.get(path), progress.say))

    while (batch := until_answered(attempt, progress))["state"] not in ENDED:
        pass
    return batch


def until_answered(attempt: Callable[[], T], progress: BatchProgress) -> T:
    """The result of something that is tried until the service answers."""
    while True:
        try:
            return attempt()
        except httpx.TransportError as error:
            progress.say(f"the service does not answer ({error}), trying again")
            time.sleep(RETRY_SECONDS)


def lines_of(client: httpx.Client, path: str) -> Iterator[Any]:
    """The lines of JSON of a stream. Raises httpx.TransportError; exits with the detail of a problem."""
    with client.stream("GET", path, timeout=60) as response:
        check_stream(response)
        for line in response.iter_lines():
            if line:
                yield json.loads(line)
