"""The picture files that entries of a batch name: each is read, checked and hashed once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.database.ids import is_id
from app.errors import InputError, field_of
from app.kinds import Params
from app.kinds.base import SidesOf
from app.media import PictureError
from app.media.clips import is_clip, read_clip_header
from app.media.inspect import displayed_sides


@dataclass(frozen=True)
class PictureFile:
    """A file that is a whole picture or clip, by its structure; its pixels were not decoded."""

    path: Path
    sha256: str
    # Width and height as displayed; None: it is a clip.
    sides: tuple[int, int] | None

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip."""
        return self.sides is None


# An id stands for a picture of the service.
Reference = PictureFile | str
Pictures = dict[str, list[Reference]]


@dataclass(frozen=True)
class PictureFinder:
    """Finds the files that params name, by their paths from a folder; ``ids``: they may be ids, too."""

    folder: Path
    ids: bool = False
    _known: dict[str, PictureFile | str] = field(default_factory=dict)

    def find(self, cls: type[Params], given: Mapping[str, Any]) -> Pictures:
        """The pictures of params as they were given, by param. Raises InputError.

        What is neither a text nor a list of texts is left to the params class to refuse.
        """
        found: Pictures = {}
        for name, mark in cls.picture_fields().items():
            value = given.get(name)
            references = [value] if isinstance(value, str) else value
            if (
                not isinstance(references, list)
                or not references
                or not all(isinstance(each, str) for each in references)
            ):
                continue
            if len(references) > 1 and not mark.many:
                raise InputError(name, "This param takes one picture, not a list.")
            found[name] = [
                self._find(reference, field_of(name, place, len(references)), mark.clips)
                for place, reference in enumerate(references)
            ]
        return found

    def paths(self) -> list[Path]:
        """The files that were found so far."""
        return [each.path for each in self._known.values() if isinstance(each, PictureFile)]

    def _find(self, reference: str, param: str, clips: bool) -> Reference:
        if self.ids and is_id(reference.partition("/")[0]):
            return reference
        file = self._known.get(reference)
        if file is None:
            file = self._known[reference] = _read(self.folder / reference)
        if isinstance(file, str):
            hint = " Give its path, or the id of a picture of the service." if self.ids else ""
            raise InputError(param, f"{file}{hint}")
        if file.is_clip and not clips:
            raise InputError(param, f"{file.path} is a clip: name a picture, such as one frame of it.")
        return file


def _read(path: Path) -> PictureFile | str:
    """A picture file; or why it cannot be used."""
    try:
        data = path.read_bytes()
        sides = None
        if is_clip(data):
            read_clip_header(data)
        else:
            sides = displayed_sides(data)
    except FileNotFoundError:
        return f"There is no file {path}."
    except (OSError, ValueError) as error:
        # ValueError: the name has a character that no file can have.
        return f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."
    except PictureError as error:
        return f"{path}: {error.detail}"
    return PictureFile(path, hashlib.sha256(data).hexdigest(), sides)


def references(cls: type[Params], pictures: Pictures, ids: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The picture params of a job: files by their ids in a service, or else by their names.

    ``ids`` are by SHA-256.
    """

    def name_of(each: Reference) -> str:
        if isinstance(each, str):
            return each
        return each.path.name if ids is None else ids[each.sha256]

    marks = cls.picture_fields()
    named = {param: [name_of(each) for each in several] for param, several in pictures.items()}
    return {param: several if marks[param].many else several[0] for param, several in named.items()}


def sides_of(pictures: Pictures) -> SidesOf:
    """Width and height of the files of each param; those of pictures of the service are unknown."""
    return lambda name: [None if isinstance(each, str) else each.sides for each in pictures[name]]


def clips_of(cls: type[Params], pictures: Pictures) -> dict[str, bool]:
    """Of the params that take clips, whether each was given one; pictures of a service are unknown."""
    marks = cls.picture_fields()
    return {
        name: any(isinstance(each, PictureFile) and each.is_clip for each in several)
        for name, several in pictures.items()
        if marks[name].clips and all(isinstance(each, PictureFile) for each in several)
    }


def hashes(pictures: Pictures) -> dict[str, list[str]]:
    """What pictures are, by param: the SHA-256 of files, the ids of others."""
    return {
        name: [each if isinstance(each, str) else each.sha256 for each in several]
        for name, several in pictures.items()
    }
