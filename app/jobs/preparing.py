"""From requests for jobs to rows of jobs: many at a time, with few queries.

Checks what only the database knows: that the pictures, sets and networks exist that params name.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from app.database.ids import is_id
from app.datasets.builtin import BUILT_IN, built_in, find_or_begin, problem_of
from app.datasets.dataset import Dataset
from app.datasets.repository import find_dataset
from app.errors import FieldError, ServiceError
from app.images.repository import find_images
from app.jobs.admission import refusal, shape_of
from app.jobs.continuing import present_params, with_continued
from app.jobs.errors import ParamsError
from app.jobs.job import Job
from app.jobs.params import parse_params
from app.jobs.repository import NewJob, find_media_types
from app.kinds import KINDS, Params, spec_of
from app.kinds.fields import MAX_REFERENCE, MAX_SEED
from app.media.clips import is_clip_type
from app.media.inspect import PictureInfo
from app.networks.card import NetworkCard
from app.networks.catalogue import CachedCatalogue
from app.networks.service import require_free
from app.settings import Settings
from app.workers.memory import known_memory

# Pictures that a preparer remembers.
MAX_REMEMBERED = 20_000
# Requests that a preparer remembers without their pictures.
MAX_SHAPES = 1000
# The param that is a seed, in every kind that has one.
SEED = "seed"


@dataclass(frozen=True)
class Picture:
    """What a job needs to know of a picture; ``sides`` (width, height) are unknown of what a job made.

    ``name`` is that of its file, if it had one.
    """

    is_clip: bool
    sides: tuple[int, int] | None
    name: str | None = None


# Pictures that are not stored yet, by their ids; None: nothing is known of one.
Uploaded = Mapping[str, Picture | None]
NOTHING: Uploaded = {}


@dataclass(frozen=True)
class Checked:
    """Params that a job can be made of: resolved, with their sets named by id and content."""

    params: Params
    datasets: tuple[str, ...]
    sides: Mapping[str, tuple[int, int]]


class Preparer:
    """Prepares requests. It remembers what it has found, so it is used for one request or a part of a batch.

    One that is used for long may miss that a picture was deleted, or a network imported.
    """

    def __init__(self, engine: Engine, settings: Settings, new_set: Dataset | None = None) -> None:
        """``new_set`` is to get its row with the job that fills it."""
        self._engine = engine
        self._data_dir = settings.data_dir
        self._memory_bytes = known_memory(settings)
        self._pictures: dict[str, Picture | None] = {}
        self._found: set[str] = set()
        self._datasets: dict[str, Dataset | None] = {} if new_set is None else {new_set.id: new_set}
        self._names: dict[str, str | None] = {}
        self._resolved: dict[str, Params] = {}
        self.catalogue = CachedCatalogue(engine)

    @property
    def pictures(self) -> Set[str]:
        """The references of all pictures that were found, also of those that are not remembered any more."""
        return self._found

    def parse(self, kind: str, params: dict[str, Any]) -> Params:
        """Params of a kind, checked by its class, and resolved. Raises ParamsError, InvalidParam.

        Of requests that differ in their pictures and seeds alone the first is checked for all: a class knows
        no more of a picture than its reference, and takes one seed as another.
        """
        params = with_continued(self._engine, self.catalogue, kind, params)
        shape, free = _split(kind, params)
        if shape is None:
            return parse_params(kind, params, self.catalogue)
        resolved = self._resolved.get(shape)
        if resolved is not None:
            return resolved.model_copy(update=free)
        resolved = parse_params(kind, params, self.catalogue)
        if len(self._resolved) >= MAX_SHAPES:
            self._resolved.clear()
        self._resolved[shape] = resolved
        return resolved

    def parse_again(self, job: Job) -> Params:
        """Params of a job, for one that tries it again. Raises ParamsError, InvalidParam."""
        return self.parse(job.kind, present_params(job, self.catalogue))

    def check(
        self, asked: Sequence[Params], *, uploaded: Uploaded = NOTHING, again: bool = False
    ) -> list[Checked | ParamsError]:
        """What of each can be a job, in order: the params with what they need, or what is wrong with them.

        Pictures with the ids of ``uploaded`` came with the request, and were checked then. A job that is
        tried ``again`` may give its network a name that is taken, and have params that do nothing.
        """
        self._find_pictures({ref for params in asked for refs in params.pictures().values() for ref in refs})
        return [self._check(params, uploaded, again) for params in asked]

    def check_one(self, params: Params, *, uploaded: Uploaded = NOTHING, again: bool = False) -> Checked:
        """The same for one. Raises ParamsError."""
        (checked,) = self.check([params], uploaded=uploaded, again=again)
        if isinstance(checked, ParamsError):
            raise checked
        return checked

    def new_job(
        self, checked: Checked, *, batch_id: str | None = None, reproducible: bool = False, **columns: Any
    ) -> NewJob:
        """The row of a job of checked params; ``columns`` are others of it.

        A ``reproducible`` one is never computed together with others.
        """
        params, spec = checked.params, spec_of(checked.params)
        need = params.network_need()
        card = None if need is None else self.catalogue.find(need.name)
        further = {name: _weights(self.catalogue.find(name)) for name in params.further_networks()}
        key = None if reproducible else stack_key(params, _weights(card), checked.sides, batch_id)
        return NewJob(
            kind=spec.name,
            lane=spec.lane_of(params, card),
            params=params.model_dump(mode="json"),
            pictures=tuple(ref for refs in params.pictures().values() for ref in refs),
            datasets=checked.datasets,
            batch_id=batch_id,
            network=None if card is None else card.name,
            network_sha256=_weights(card),
            further_networks=further or None,
            reproducible=reproducible,
            stack_key=key,
            **columns,
        )

    def _check(self, params: Params, uploaded: Uploaded, again: bool) -> Checked | ParamsError:
        sides: dict[str, tuple[int, int]] = {}
        errors = self._check_pictures(params, uploaded, sides)
        if not again:
            errors += params.problems_of_clips(self._clips(params, uploaded))
            errors += self._check_new_names(params)
        errors += params.problems_of_sides(lambda name: [sides.get(ref) for ref in params.pictures()[name]])
        found, wrong = self._find_datasets(params)
        if not errors and not wrong:
            errors = self._check_memory(params, sides)
        if errors or wrong:
            return ParamsError([*errors, *wrong])
        if found:
            params = params.model_copy(update={name: each.reference for name, each in found.items()})
        return Checked(params, tuple(each.id for each in found.values()), sides)

    def _find_pictures(self, references: Collection[str]) -> None:
        """Remember what there is of some pictures."""
        if len(self._pictures) > MAX_REMEMBERED:
            self._pictures.clear()
        wanted = {ref for ref in references if ref not in self._pictures}
        made = {ref for ref in wanted if "/" in ref}
        for ref, media_type in find_media_types(self._engine, made).items():
            self._pictures[ref] = Picture(is_clip_type(media_type), None)
        for image_id, image in find_images(self._engine, wanted - made).items():
            self._pictures[image_id] = Picture(image.is_clip, (image.width, image.height), image.name)
        found = wanted & self._pictures.keys()
        self._found |= found
        self._pictures |= dict.fromkeys(wanted - found)

    def _check_pictures(
        self, params: Params, uploaded: Uploaded, sides: dict[str, tuple[int, int]]
    ) -> list[FieldError]:
        errors = []
        for field, references in params.pictures().items():
            accepts_clips = params.picture_fields()[field].clips
            for reference in references:
                picture = self._known(reference, uploaded)
                if reference not in uploaded:
                    detail = _problem_of(reference, picture, accepts_clips)
                    if detail:
                        errors.append(FieldError(field, detail))
                        continue
                if picture is not None and picture.sides is not None:
                    sides[reference] = picture.sides
        return errors

    def _clips(self, params: Params, uploaded: Uploaded) -> dict[str, bool]:
        """Whether each param that takes a clip was given one, where that is known."""
        named = {
            name: refs for name, refs in params.pictures().items() if params.picture_fields()[name].clips
        }
        found = {name: [self._known(ref, uploaded) for ref in refs] for name, refs in named.items()}
        return {
            name: any(each.is_clip for each in several if each is not None)
            for name, several in found.items()
            if None not in several
        }

    def _known(self, reference: str, uploaded: Uploaded) -> Picture | None:
        return uploaded[reference] if reference in uploaded else self._pictures[reference]

    def _check_memory(self, params: Params, sides: Mapping[str, tuple[int, int]]) -> list[FieldError]:
        """Why a job does not fit into the memory of a worker, if both are known."""
        shape, need = shape_of(params, sides), params.network_need()
        if self._memory_bytes is None or shape is None or need is None:
            return []
        cards = [self.catalogue.find(name) for name in (need.name, *params.further_networks())]
        found = refusal(params, cards, shape, self._memory_bytes)
        return [] if found is None else [found]

    def _check_new_names(self, params: Params) -> list[FieldError]:
        """What is wrong with the name that a job gives its network."""
        errors = []
        for field, name in params.new_networks().items():
            if name not in self._names:
                self._names[name] = self._problem_of_name(name)
            detail = self._names[name]
            if detail is not None:
                errors.append(FieldError(field, detail))
        return errors

    def _problem_of_name(self, name: str) -> str | None:
        try:
            require_free(self._engine, name)
        except ServiceError as error:
            return error.detail
        return None

    def _find_datasets(self, params: Params) -> tuple[dict[str, Dataset], list[FieldError]]:
        """The sets that params name, by param, and what is wrong with them.

        A built-in set that has not been made yet has no hash; the worker makes it when it runs the job, of
        files in the data folder if it needs any.
        """
        found: dict[str, Dataset] = {}
        errors: list[FieldError] = []
        for field, reference in params.datasets().items():
            is_open = params.dataset_fields()[field].is_open
            dataset = self._find_dataset(reference)
            source = built_in(reference)
            detail = None
            if source is not None and (
                dataset is None or (dataset.source, dataset.state) == (source, "open")
            ):
                detail = problem_of(source, self._data_dir)
            if dataset is None and source is not None and not is_open and detail is None:
                dataset = self._datasets[reference] = find_or_begin(self._engine, source)
            detail = detail or problem_of_set(reference, dataset, is_open)
            if dataset is None or detail is not None:
                errors.append(FieldError(field, detail or ""))
            else:
                found[field] = dataset
        return found, errors

    def _find_dataset(self, reference: str) -> Dataset | None:
        if reference not in self._datasets:
            self._datasets[reference] = find_dataset(self._engine, reference)
        return self._datasets[reference]


def uploaded_picture(info: PictureInfo) -> Picture:
    """What is known of a picture or clip that is not stored yet."""
    return Picture(info.frames > 1 or is_clip_type(info.media_type), (info.width, info.height))


def _split(kind: str, params: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """All of a request but its seed and which pictures it names, and these as resolved params hold them.

    None if one of them is not as it should be.
    """
    free: dict[str, Any] = {}
    if kind not in KINDS:
        return None, free
    counts: dict[str, int] = {}
    cls = KINDS[kind].params
    for name, mark in cls.picture_fields().items():
        value = params.get(name)
        if value is None:
            continue
        several = value if mark.many and isinstance(value, list) else [value]
        if not all(isinstance(each, str) and 0 < len(each) <= MAX_REFERENCE for each in several):
            return None, free
        counts[name] = len(several)
        free[name] = several if mark.many else value
    seed = params.get(SEED)
    if seed is not None and SEED in cls.__pydantic_fields__:
        if type(seed) is not int or not 0 <= seed <= MAX_SEED:
            return None, free
        counts[SEED], free[SEED] = 1, seed
    others = {name: value for name, value in params.items() if name not in free}
    return json.dumps([kind, others, counts]), free


def _problem_of(reference: str, picture: Picture | None, accepts_clips: bool) -> str | None:
    """Why a param cannot use the picture that it names; None if it can."""
    if picture is not None:
        if picture.is_clip and not accepts_clips:
            shown = picture.name or reference
            return f"{shown} is a clip: use a still picture, such as one frame of it."
        return None
    owner, _, artifact_name = reference.partition("/")
    if not is_id(owner):
        return f"{reference!r} is not an image id: upload the picture first, or use <job id>/<artifact>."
    if artifact_name:
        return f"Job {owner} has no artifact {artifact_name!r}."
    return f"There is no image {owner}: upload it first."


def problem_of_set(reference: str, dataset: Dataset | None, is_open: bool) -> str | None:
    """Why a param cannot use the set that it names; None if it can."""
    shown = reference[:120]
    if dataset is None:
        name, _, sha256 = shown.partition("@")
        if sha256:
            return f"No set with the content {sha256!r} is here: upload it again, or name another."
        return (
            f"There is no set {name!r}: make it with POST /v1/datasets, or use one of {', '.join(BUILT_IN)}."
        )
    if is_open and dataset.state == "closed":
        return f"Set {dataset.name!r} is closed: make another one."
    if not is_open and dataset.state == "open" and dataset.source == "upload":
        return f"Set {dataset.name!r} is open: close it first with POST /v1/datasets/{dataset.id}/close."
    return None


def _weights(card: NetworkCard | None) -> str | None:
    return None if card is None else card.sha256


def stack_key(
    params: Params, weights: str | None, sides: Mapping[str, tuple[int, int]], batch_id: str | None
) -> str | None:
    """Hash of what jobs that can be computed together share; None: this one is computed alone."""
    spec, key = spec_of(params), params.stack_key(sides)
    if spec.stack_function is None or key is None:
        return None
    if spec.stacks_within == "batch" and batch_id is None:
        return None
    scope = batch_id if spec.stacks_within == "batch" else None
    # Another network may have the name that the key holds by the time that it is used.
    return hashlib.sha256(json.dumps([spec.name, weights, key, scope]).encode()).hexdigest()
