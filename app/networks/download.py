"""Downloads the file of a network from a mirror, as a generator, so that whoever consumes it may stop.

What has come is in ``<file>.partial``, and what the server calls that version of the file in
``<file>.partial.json``: the next try asks for the rest of the same version (RFC 9110, sections 13.1.5 and
14). The whole file gets its name when the SHA-256 of all of it begins as published.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

import httpx

from app.errors import ServiceError
from app.networks.card import Download, NetworkCard
from app.settings import WeightsFolder
from app.storage.errors import StorageFull

# Tries in a row that bring nothing; the wait after the first, in seconds, doubles from one to the next.
TRIES = 4
FIRST_WAIT = 1.0
# What a server that asks for patience is granted at most.
LONGEST_WAIT = 60.0
# While it waits it looks up this often, for whoever wants it to stop.
NAP = 0.1
REDIRECTS = 5
TIMEOUT = httpx.Timeout(20.0, connect=10.0)

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class DownloadError(ServiceError):
    """The file cannot be downloaded. ``detail`` says why, and what to do."""

    status, type, title = HTTPStatus.BAD_GATEWAY, "download", "The download failed"
    example = ("https://example.org/vgg19.pth: the server answers 404 Not Found.",)


@dataclass(frozen=True)
class Received:
    """How far a download is: bytes on the disk, and about how many it takes; what it is at, if not that."""

    bytes: int
    total: int
    note: str = ""


class _Again(Exception):
    """This try came to nothing, or not to the end; another may."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def download(
    card: NetworkCard, folder: WeightsFolder, *, first_wait: float = FIRST_WAIT
) -> Generator[Received, None, Path]:
    """Download the file of a network into a folder that is there; returns where it is.

    Whoever stops consuming keeps what has come. One at a time in a folder. Raises DownloadError; StorageFull.
    """
    if card.download is None:
        raise ValueError(f"network {card.name!r} needs no download")
    run = _Run(card.name, card.download, folder, first_wait)
    with naming_a_full_disk(run.target):
        return (yield from run.to_the_end())


class _Run:
    """One run of a download."""

    def __init__(self, name: str, file: Download, folder: WeightsFolder, first_wait: float) -> None:
        self.file = file
        self.first_wait = first_wait
        self.target = folder.path / file.file
        self.url = f"{folder.mirror.rstrip('/')}/{file.file}"
        self.partial = self.target.with_name(f"{file.file}.partial")
        self.version = self.target.with_name(f"{file.file}.partial.json")
        self.total = file.bytes
        self.resumed = False
        self.remedy = (
            f"Set IMPASTO_WEIGHTS_MIRROR to the URL of a folder that has {file.file}, or bring that file "
            f"yourself: `impasto weights import {name} {file.file}`."
        )

    def to_the_end(self) -> Generator[Received, None, Path]:
        """Try until it is there, and right."""
        if self.target.exists():
            self.target.replace(self.partial)
            self.resumed = True
        else:
            yield from self._come_by()
        sha256 = self._sha256()
        if self.resumed and not self._is_right(sha256):
            # Parts of two versions, perhaps: a server need not say that a file has changed.
            self._forget()
            yield from self._come_by()
            sha256 = self._sha256()
        if not self._is_right(sha256):
            self._refuse(sha256)
        self.version.unlink(missing_ok=True)
        self.partial.replace(self.target)
        return self.target

    def _come_by(self) -> Iterator[Received]:
        misses, wait = 0, self.first_wait
        # The hash is of the file itself, and parts are parts of that: it must not be compressed on the way.
        plain = {"Accept-Encoding": "identity"}
        with httpx.Client(
            timeout=TIMEOUT, follow_redirects=True, max_redirects=REDIRECTS, headers=plain
        ) as client:
            while True:
                before = self._size()
                try:
                    yield from self._ask(client)
                    return
                except (httpx.TransportError, _Again) as error:
                    if self._size() > before:
                        misses, wait = 0, self.first_wait
                    misses += 1
                    reason = _reason(error)
                    if misses == TRIES:
                        raise DownloadError(f"{self.url}: {reason}. {self.remedy}") from error
                    asked = error.wait if isinstance(error, _Again) else 0.0
                    yield from self._wait(max(wait, min(asked, LONGEST_WAIT)), reason)
                    wait *= 2
                except (httpx.RequestError, httpx.InvalidURL) as error:
                    raise DownloadError(f"{self.url}: {error}. {self.remedy}") from error

    def _ask(self, client: httpx.Client) -> Iterator[Received]:
        """One request, for all or for the rest, and what comes of it."""
        have = self._size()
        with client.stream("GET", self.url, headers=self._range(have)) as response:
            match response.status_code:
                case HTTPStatus.PARTIAL_CONTENT:
                    found = _RANGE.match(response.headers.get("Content-Range", ""))
                    if not found or int(found[1]) != have:
                        self._forget()
                        raise _Again("the server sent another part than it was asked for")
                    self.total = int(found[2])
                    self.resumed = True
                case HTTPStatus.OK:
                    # All of it: the server has another version by now, or sends no parts.
                    self._forget()
                    have = 0
                    self.total = int(response.headers.get("Content-Length", self.file.bytes))
                    self.version.write_text(json.dumps(_validator(response)))
                case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE if have:
                    if response.headers.get("Content-Range") != f"bytes */{have}":
                        self._forget()
                        raise _Again("the server has a shorter file by now")
                    self.resumed = True
                    return
                case status if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    after = response.headers.get("Retry-After", "")
                    reason = f"the server answers {status} {response.reason_phrase}"
                    raise _Again(reason, float(after) if after.isdecimal() else 0.0)
                case status:
                    reason = f"the server answers {status} {response.reason_phrase}"
                    raise DownloadError(f"{self.url}: {reason}. {self.remedy}")
            self._require_space(self.total - have)
            yield Received(have, self.total)
            with self.partial.open("ab") as file:
                for chunk in response.iter_raw():
                    file.write(chunk)
                    have += len(chunk)
                    yield Received(have, self.total)
                file.flush()
                os.fsync(file.fileno())

    def _range(self, have: int) -> dict[str, str]:
        """The headers that ask for what is missing, of the version that the beginning is of."""
        if not have:
            return {}
        with contextlib.suppress(FileNotFoundError, ValueError):
            validator = json.loads(self.version.read_text())
            if isinstance(validator, str):
                return {"Range": f"bytes={have}-", "If-Range": validator}
        return {"Range": f"bytes={have}-"}

    def _wait(self, seconds: float, reason: str) -> Iterator[Received]:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            yield Received(self._size(), self.total, f"trying again in {left:.0f} s: {reason}")
            time.sleep(min(NAP, left))

    def _require_space(self, missing: int) -> None:
        # The converted weights take as much again before the file goes.
        needed = missing + self.total
        free = shutil.disk_usage(self.target.parent).free
        if free < needed:
            raise StorageFull(
                f"{self.file.file} takes {needed / 1e6:,.0f} MB, and {self.target.parent} has "
                f"{free / 1e6:,.0f} MB free"
            )

    def _sha256(self) -> str:
        with self.partial.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _is_right(self, sha256: str) -> bool:
        return sha256.startswith(self.file.sha256_prefix)

    def _refuse(self, sha256: str) -> NoReturn:
        size, expected = self._size(), self.file.sha256_prefix
        self._forget()
        raise DownloadError(
            f"{self.url} is not the published file: its SHA-256 begins with {sha256[: len(expected)]}, not "
            f"with {expected}, and it has {size:,} bytes, of about {self.file.bytes:,}. Nothing was kept. "
            f"{self.remedy}"
        )

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"the server cannot be reached ({text})"
    if isinstance(error, httpx.TransportError):
        return f"the connection broke ({text})"
    return text


def _validator(response: httpx.Response) -> str | None:
    """What a response calls this version of the file, as If-Range takes it."""
    tag: str | None = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    date: str | None = response.headers.get("Last-Modified")
    return date


@contextlib.contextmanager
def naming_a_full_disk(path: Path) -> Iterator[None]:
    """Raise StorageFull for what an operating system calls a full disk or quota."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left for {path}") from error
        raise
