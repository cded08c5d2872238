"""What can be done with sets: begin, fill, close and delete them."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from app.database.ids import derived_id, is_id
from app.database.keys import Keyed, Note, find_made, keyed_changes, no_note
from app.database.removal import delete_files, unless_written
from app.datasets import changes, deletion, repository
from app.datasets.builtin import BUILT_IN
from app.datasets.dataset import (
    MAX_LABEL,
    MAX_NAME,
    Boxes,
    Dataset,
    NewMember,
    Source,
    content_hash,
    is_name,
    is_text,
)
from app.datasets.errors import DatasetNameInvalid, DatasetNameTaken, InvalidDataset
from app.datasets.relabeling import Relabeling, relabeled
from app.datasets.repository import Added, Limits
from app.images.errors import UnknownImage
from app.images.repository import get_image, image_key
from app.media import PictureInfo
from app.settings import Settings
from app.storage import Storage, put_all

# Tries to add members whose pictures are deleted with another set at the same moment.
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """A picture that came with a set, whole and checked."""

    data: bytes
    sha256: str
    info: PictureInfo
    name: str
    label: str | None


@dataclass(frozen=True, kw_only=True)
class ImageMember:
    """A stored picture as a member; without a name it has the one of its file, or its id."""

    image: str
    label: str | None = None
    name: str | None = None
    boxes: Boxes | None = None


@dataclass(frozen=True)
class DatasetService:
    """The operations on sets."""

    settings: Settings
    engine: Engine
    storage: Storage

    @property
    def limits(self) -> Limits:
        """What a set may have at most."""
        return Limits(self.settings.max_dataset_members, self.settings.max_dataset_bytes)

    def begin(self, name: str, request: Keyed | None = None) -> Dataset:
        """An open set for uploads, without members, or the one that the same request made before.

        Raises DatasetNameInvalid, DatasetNameTaken, KeyReused, StorageFull.
        """
        if earlier := repository.find_made_dataset(self.engine, request):
            return earlier
        _require_own_name(name)
        self.storage.require_space()
        return repository.add_dataset(self.engine, name, "upload", {}, request)

    def prepare(
        self,
        name: str,
        source: Source = "upload",
        options: dict[str, Any] | None = None,
        request: Keyed | None = None,
    ) -> Dataset:
        """An open set without members, whose row is to be written with that of the job that fills it.

        Raises DatasetNameInvalid, DatasetNameTaken, StorageFull.
        """
        if not is_name(name):
            raise DatasetNameInvalid(name)
        if name in BUILT_IN and (source != name or options):
            raise DatasetNameTaken(name)
        self.storage.require_space()
        return repository.new_dataset(self.engine, name, source, options or {}, request)

    def rename(self, dataset: Dataset, name: str) -> Dataset:
        """Give a set another name.

        Raises DatasetNameInvalid, DatasetNameTaken, InvalidDataset for a built-in set, UnknownDataset.
        """
        if dataset.name == name:
            return dataset
        if dataset.name == dataset.source:
            raise InvalidDataset("name", f"Set {dataset.name!r} is built in, and keeps its name.")
        _require_own_name(name)
        return changes.rename_dataset(self.engine, dataset.id, name)

    def relabel(
        self, dataset: Dataset, name: str, relabeling: Relabeling, request: Keyed | None = None
    ) -> tuple[Dataset, bool]:
        """A closed set of the pictures of a closed one, with other labels; and whether it is new.

        It is not if the set of that name is the same; it is if the same request made it before. Raises
        DatasetNameInvalid, DatasetNameTaken, InvalidDataset, KeyReused, UnknownDataset if it was deleted at
        this moment.
        """
        if earlier := repository.find_made_dataset(self.engine, request):
            return earlier, True
        _require_own_name(name)
        if dataset.state == "open":
            raise InvalidDataset("dataset", f"Set {dataset.name!r} is open: close it first.")
        members = relabeled(list(repository.all_members(self.engine, dataset.id)), relabeling)
        digest = content_hash((m.sha256, m.label, m.name, m.boxes) for m in members)
        try:
            made = changes.add_closed(
                self.engine, name, {"relabeled": dataset.reference}, members, digest, dataset.id, request
            )
        except DatasetNameTaken:
            if earlier := repository.find_made_dataset(self.engine, request):
                return earlier, True
            there = repository.find_dataset(self.engine, name)
            if there is None or there.sha256 != digest:
                raise
            return there, False
        return made, True

    def add_images(
        self, dataset: Dataset, members: Sequence[ImageMember], request: Keyed | None = None
    ) -> Added:
        """Add stored pictures. Raises InvalidDataset, DatasetClosed, DatasetTooLarge; then none is added."""
        new = [self._image_member(place, member) for place, member in enumerate(members)]
        try:
            return repository.add_members(self.engine, dataset.id, new, self.limits, request)
        except IntegrityError:
            if earlier := self.added_before(request):
                return earlier
            raise InvalidDataset("members", "A picture was deleted meanwhile: leave it out.") from None

    def added_before(self, request: Keyed | None) -> Added | None:
        """What the same request added to a set before. Raises KeyReused."""
        change = find_made(self.engine, keyed_changes, request)
        return None if change is None else Added(**change["answer"])

    def _image_member(self, place: int, member: ImageMember) -> NewMember:
        field = f"members.{place}"
        try:
            if not is_id(member.image):
                raise UnknownImage(member.image)
            image = get_image(self.engine, member.image)
        except UnknownImage:
            raise InvalidDataset(
                f"{field}.image", f"There is no image {member.image[:80]!r}: upload it first."
            ) from None
        if image.is_clip:
            raise InvalidDataset(
                f"{field}.image",
                f"{image.name or image.id} is a clip: use a still picture, such as one frame of it.",
            )
        name = member.name or image.name or image.id
        for part, text, most in (("name", name, MAX_NAME), ("label", member.label, MAX_LABEL)):
            if text is not None and not is_text(text, most):
                raise InvalidDataset(
                    f"{field}.{part}", f"It may have 1 to {most} characters, and no control characters."
                )
        return NewMember(
            image_id=image.id,
            sha256=image.sha256,
            bytes=image.bytes,
            name=name,
            label=member.label,
            boxes=member.boxes,
        )

    def add_files(self, dataset_id: str, files: Sequence[PictureFile], owner: str) -> Added:
        """Add pictures that came with a set: their files first, then all rows in one transaction.

        A picture that another set brought is not stored again, unless its file is lost. A repeated call of
        the same ``owner``, which is an upload for example, stores and adds nothing twice, also if the one
        before was killed.

        Raises UnknownDataset, DatasetClosed, DatasetTooLarge, StorageFull; then none is added.
        """
        for _ in range(TRIES - 1):
            # IntegrityError: one of the pictures was deleted meanwhile, with the other set.
            with contextlib.suppress(IntegrityError):
                return self._add_files(dataset_id, files, owner)
        return self._add_files(dataset_id, files, owner)

    def _add_files(self, dataset_id: str, files: Sequence[PictureFile], owner: str) -> Added:
        data = {file.sha256: file.data for file in files}
        there = repository.find_imported(self.engine, sorted(data))
        put = {sha256: _image_id(owner, sha256) for sha256 in data if sha256 not in there}
        lost = {sha256: each for sha256, each in there.items() if not self._is_whole(each, data[sha256])}

        def discard() -> None:
            ids = list(put.values())
            unknown = set(ids) - repository.existing_images(self.engine, ids)
            delete_files(*(partial(self.storage.delete, image_key(image_id)) for image_id in unknown))

        with unless_written(discard):
            put_all(self.storage, {image_key(each): data[sha256] for sha256, each in (put | lost).items()})
            new = [
                NewMember(
                    image_id=(there | put)[file.sha256],
                    sha256=file.sha256,
                    bytes=file.info.bytes,
                    name=file.name,
                    label=file.label,
                    info=file.info if file.sha256 in put else None,
                )
                for file in files
            ]
            return repository.add_members(self.engine, dataset_id, new, self.limits)

    def _is_whole(self, image_id: str, data: bytes) -> bool:
        try:
            return self.storage.size(image_key(image_id)) == len(data)
        except FileNotFoundError:
            return False

    def close(self, dataset_id: str, note: Note = no_note) -> Dataset:
        """Close a set, which never changes from then on. Raises UnknownDataset, DatasetEmpty."""
        return repository.close_dataset(self.engine, dataset_id, note)

    def delete(self, dataset: Dataset, needs: deletion.Needs) -> None:
        """Delete a set, and the pictures that came with it unless another set or a job needs them.

        Raises UnknownDataset, DatasetInUse.
        """
        for gone in deletion.delete_dataset(self.engine, dataset.id, needs):
            delete_files(*(partial(self.storage.delete, image_key(image_id)) for image_id in gone))


def _require_own_name(name: str) -> None:
    """Check that an upload may have a name. Raises DatasetNameInvalid, DatasetNameTaken."""
    if not is_name(name):
        raise DatasetNameInvalid(name)
    if name in BUILT_IN:
        raise DatasetNameTaken(name)


def _image_id(owner: str, sha256: str) -> str:
    """The id of a picture that comes with a set: always the same, so that none is stored twice."""
    return derived_id(f"{owner} {sha256}")
