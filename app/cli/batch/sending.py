"""Sends entries to a service as a batch, each picture once, and remembers that in the folder of results."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from app.cli.batch.checks import Key
from app.cli.batch.entries import Entry
from app.cli.batch.matrix import Axis, Recipe
from app.cli.batch.pictures import PictureFile, PictureFinder, references
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import OutputFolder
from app.cli.batch.reporting import Options, refuse
from app.cli.messages import note_problem
from app.cli.service_client import answer, insist
from app.jobs.job import Json
from app.kinds import KINDS

# A body of 200 MB is checked before it is answered.
_CREATE_SECONDS = 600.0
_UPLOAD_SECONDS = 120.0


@dataclass(frozen=True)
class Sender:
    """Sends entries to the service at ``url``; what was sent is in the notes of ``folder``."""

    client: httpx.Client
    url: str
    folder: OutputFolder
    finder: PictureFinder

    def sent(self, entries: Iterable[Entry], keys: Mapping[str, Key]) -> dict[str, dict[int, Entry]]:
        """The entries that were sent as they are asked now: by batch, and by line of the batch."""
        places: dict[tuple[str, Key], tuple[str, int]] = {}
        for line in self._notes("batch"):
            for number, (custom_id, key) in enumerate(line["entries"], 1):
                places[custom_id, key] = line["batch"], number
        found: dict[str, dict[int, Entry]] = defaultdict(dict)
        for entry in entries:
            place = places.get((entry.custom_id, keys[entry.custom_id]))
            if place is not None:
                found[place[0]][place[1]] = entry
        return found

    def upload(self, entries: Sequence[Entry], progress: BatchProgress) -> dict[str, str]:
        """Upload the pictures of entries that the service lacks; the ids of all, by SHA-256."""
        files: dict[str, PictureFile] = {}
        for entry in entries:
            for several in self.finder.find(KINDS[entry.kind].params, entry.params).values():
                files |= {each.sha256: each for each in several if isinstance(each, PictureFile)}
        known = {line["sha256"]: line["image"] for line in self._notes("image")}
        ids: dict[str, str] = {}
        for number, (sha256, file) in enumerate(files.items(), 1):
            progress.say(f"Uploading {number:,} of {len(files):,}")
            image = known.get(sha256)
            if image is None or not self._has(image, progress):
                image = self._upload(file, progress)
                self.folder.note({"service": self.url, "image": image, "sha256": sha256})
            ids[sha256] = image
        return ids

    def create(
        self,
        entries: Sequence[Entry],
        keys: Mapping[str, Key],
        ids: Mapping[str, str],
        options: Options,
        progress: BatchProgress,
    ) -> Json:
        """Make a batch of entries, or find the one that they made before.

        ``ids`` are those of their pictures by SHA-256. Exits with the lines that the service refuses.
        """
        query = {"name": options.name, "errors": options.errors}
        query |= {} if options.priority is None else {"priority": options.priority}
        query |= {"reproducible": "true"} if options.reproducible else {}
        recipe = options.recipe
        if recipe is not None and len(entries) == recipe.size:
            # All of it: the service then knows rows and columns.
            media_type, body = "application/json", self._matrix(recipe, ids)
        else:
            media_type = "application/x-ndjson"
            body = b"".join(self._line(entry, ids) for entry in entries)
        digest = hashlib.sha256(body + json.dumps(query).encode()).hexdigest()
        headers = {"Content-Type": media_type, "Idempotency-Key": digest}

        def send() -> httpx.Response:
            return self.client.post(
                "/v1/batches", params=query, headers=headers, content=body, timeout=_CREATE_SECONDS
            )

        response = insist(send, progress.say)
        if response.is_error:
            progress.stop()
            _require_right(response, entries, options)
        batch = answer(response)
        pairs = [[entry.custom_id, keys[entry.custom_id]] for entry in entries]
        self.folder.note({"service": self.url, "batch": batch["id"], "entries": pairs})
        return batch

    def _notes(self, name: str) -> list[Json]:
        return [line for line in self.folder.notes if name in line and line["service"] == self.url]

    def _has(self, image: str, progress: BatchProgress) -> bool:
        response = insist(lambda: self.client.get(f"/v1/images/{image}"), progress.say)
        return response.status_code != httpx.codes.NOT_FOUND and bool(answer(response))

    def _upload(self, file: PictureFile, progress: BatchProgress) -> str:
        def send() -> httpx.Response:
            files = {"image": (file.path.name, file.path.read_bytes())}
            return self.client.post("/v1/images", files=files, timeout=_UPLOAD_SECONDS)

        response = insist(send, progress.say)
        if response.is_error:
            progress.stop()
            note_problem(str(file.path), "The service refuses it:")
        return str(answer(response)["id"])

    def _line(self, entry: Entry, ids: Mapping[str, str]) -> bytes:
        params = self._with_ids(entry.kind, entry.params, ids)
        line: dict[str, Any] = {"custom_id": entry.custom_id, "kind": entry.kind, "params": params}
        if entry.reproducible:
            line["reproducible"] = True
        return json.dumps(line).encode() + b"\n"

    def _matrix(self, recipe: Recipe, ids: Mapping[str, str]) -> bytes:
        def sent(axis: Axis, value: Any) -> Any:
            found = self._with_ids(recipe.kind, {axis.param: value}, ids)[axis.param]
            # A list of one picture is called by no name.
            return found[0] if isinstance(value, str) and isinstance(found, list) else found

        over = {axis.param: [sent(axis, value) for value in axis.values] for axis in recipe.axes}
        params = self._with_ids(recipe.kind, recipe.params, ids)
        matrix = {"kind": recipe.kind, "params": params, "over": over, "combine": recipe.combine}
        return json.dumps(matrix).encode()

    def _with_ids(self, kind: str, params: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
        cls = KINDS[kind].params
        pictures = self.finder.find(cls, params)
        return {**params, **references(cls, pictures, ids)}


def _require_right(response: httpx.Response, entries: Sequence[Entry], options: Options) -> None:
    """Exit with the lines that the service found wrong, if it did."""
    if response.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        return
    problem = response.json()
    if problem.get("type") == "batch_invalid":
        found = [
            entries[each["line"] - 1].problem(each["field"], each["detail"]) for each in problem["errors"]
        ]
        refuse(found, options, problem["wrong"])
