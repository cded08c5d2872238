"""Adds the pictures of an uploaded ZIP to a set.

In two passes: the first unpacks, checks and decodes every picture and keeps nothing, so that a ZIP that is
refused leaves nothing behind; the second keeps those that are right.
"""

import hashlib
import io
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from app.datasets.errors import DatasetClosed, UnusableZip
from app.datasets.repository import get_dataset, require_room
from app.datasets.service import DatasetService, PictureFile
from app.datasets.uploads import Upload, open_upload
from app.datasets.zip_reader import DamagedEntry
from app.errors import InputError
from app.jobs.storage_keys import work_folder
from app.kinds.import_members import ImportMembersParams
from app.media import PictureError, PictureInfo, inspect_picture
from app.settings import Settings
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.media.pictures import load_picture
from worker.understanding.tables import csv_file

# Pictures that are kept in one transaction, and bytes of them in the memory.
IN_ONE, BYTES_IN_ONE = 64, 64_000_000
# Side to which a picture is reduced when it is decoded only to see whether it can be.
TRIAL_SIDE = 64
# Skipped files, and rows without a picture, that the result lists; the report has all.
LISTED = 100


@dataclass
class _Findings:
    """What is known of the files: the hash of one that is right, or why it is skipped; how many are kept.

    ``before`` are the members and duplicates that the set had when this job began.
    """

    before: tuple[int, int]
    hashes: list[str | None] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    stored: int = 0

    def state(self) -> StepState:
        """As a checkpoint keeps it."""
        values = {"before": list(self.before), "hashes": list(self.hashes), "reasons": list(self.reasons)}
        return StepState({}, {**values, "stored": self.stored})


def import_members(
    params: ImportMembersParams,
    inputs: Inputs,
    network: None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Check the pictures of an upload, and add them to a set; ``done`` and ``total`` are files, twice.

    The result counts what was added and skipped; the artifact ``report`` is a CSV with a line for each file.
    """
    del network, compute
    datasets = inputs.datasets
    try:
        with open_upload(datasets.storage, work_folder(params.upload), datasets.limits) as upload:
            return (yield from _import(params, datasets, upload, resume))
    except FileNotFoundError:
        raise InputError("upload", "The file of this upload is gone: send the ZIP again.") from None


def _import(
    params: ImportMembersParams, datasets: DatasetService, upload: Upload, resume: StepState | None
) -> Steps:
    dataset = get_dataset(datasets.engine, params.dataset)
    if dataset.state == "closed":
        raise DatasetClosed(dataset.name)
    findings = _Findings((dataset.members, dataset.duplicates))
    if resume is not None:
        findings = _Findings(**{**resume.values, "before": tuple(resume.values["before"])})
    members = upload.layout.members
    paths = list(members)
    total = 2 * len(paths)
    for path in paths[len(findings.reasons) :]:
        sha256, reason = _check(upload, path, datasets.settings)
        findings.hashes.append(sha256)
        findings.reasons.append(reason)
        yield _step(len(findings.reasons), total, findings)
    if params.close and not dataset.members and not any(findings.hashes):
        raise UnusableZip(
            f"None of its pictures ({len(paths)}) can be read, so that the set stays empty and open. "
            f"{paths[0]}: {findings.reasons[0]}"
        )
    if not findings.stored:
        files = [
            (members[path][0], sha256, upload.entries[path].size)
            for path, sha256 in zip(paths, findings.hashes, strict=True)
            if sha256 is not None
        ]
        require_room(datasets.engine, dataset.id, files, datasets.limits)
    while findings.stored < len(paths):
        batch, end = _read_batch(params, datasets, upload, paths, findings)
        datasets.add_files(dataset.id, batch, params.upload)
        findings.stored = end
        yield _step(len(paths) + end, total, findings)
    dataset = (datasets.close if params.close else partial(get_dataset, datasets.engine))(dataset.id)
    skipped = [(path, reason) for path, reason in zip(paths, findings.reasons, strict=True) if reason]
    labels = Counter(_label(params, members[path][1]) for path in paths)
    return Outcome(
        result={
            "dataset": dataset.id,
            "sha256": dataset.sha256,
            "pictures": len(paths),
            "added": dataset.members - findings.before[0],
            "duplicates": dataset.duplicates - findings.before[1],
            "present": len(paths) - len(skipped) - (dataset.members - findings.before[0]),
            "ignored": upload.layout.ignored,
            "skipped": [{"name": path, "reason": reason} for path, reason in skipped[:LISTED]],
            "skipped_count": len(skipped),
            "labels": len(labels.keys() - {None}),
            "without_label": labels[None],
            "rows_without_picture": upload.layout.unmatched[:LISTED],
            "rows_without_picture_count": len(upload.layout.unmatched),
        },
        files={"report": _report(params, upload, findings)},
    )


def _step(done: int, total: int, findings: _Findings) -> Step:
    # Between the passes, so that a job that is killed does not check again.
    milestone = 2 * done == total
    return Step(done, total, losses=dict, image=None, state=findings.state, milestone=milestone)


def _check(upload: Upload, path: str, settings: Settings) -> tuple[str | None, str | None]:
    """The hash of a file that can be a member; or why it cannot. Raises UnusableZip if the ZIP lies."""
    try:
        data = upload.read(path)
        inspect_picture(io.BytesIO(data), settings)
        load_picture(io.BytesIO(data), "file", TRIAL_SIDE)
    except DamagedEntry as error:
        return None, str(error)
    except (PictureError, InputError) as error:
        return None, error.detail
    return hashlib.sha256(data).hexdigest(), None


def _read_batch(
    params: ImportMembersParams,
    datasets: DatasetService,
    upload: Upload,
    paths: list[str],
    findings: _Findings,
) -> tuple[list[PictureFile], int]:
    """The next files to keep, and the place after them."""
    batch: list[PictureFile] = []
    place, size = findings.stored, 0
    while place < len(paths) and len(batch) < IN_ONE and size < BYTES_IN_ONE:
        path, sha256 = paths[place], findings.hashes[place]
        place += 1
        if sha256 is None:
            continue
        data = upload.read(path)
        info: PictureInfo = inspect_picture(io.BytesIO(data), datasets.settings)
        name, label = upload.layout.members[path]
        batch.append(PictureFile(data=data, sha256=sha256, info=info, name=name, label=_label(params, label)))
        size += len(data)
    return batch, place


def _label(params: ImportMembersParams, label: str | None) -> str | None:
    return params.label if label is None else label


def _report(params: ImportMembersParams, upload: Upload, findings: _Findings) -> File:
    """A CSV with a line for each picture, and for each row of the table without one."""
    members = zip(upload.layout.members.items(), findings.reasons, strict=True)
    rows = [[path, _label(params, label) or "", reason or ""] for (path, (_, label)), reason in members]
    rows += [
        [row, "", "The table of labels names it, and there is no such picture."]
        for row in upload.layout.unmatched
    ]
    return csv_file(["file", "label", "skipped because"], rows)
