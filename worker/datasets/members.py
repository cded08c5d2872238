"""The members of the sets that a job needs, from the database and the storage."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine

from app.datasets.builtin import BUILT_IN
from app.datasets.cifar10 import Cifar10Error
from app.datasets.dataset import StoredMember
from app.datasets.parts import require_parts
from app.datasets.repository import all_members, find_dataset
from app.datasets.service import DatasetService
from app.errors import InputError
from app.images.repository import image_key
from app.kinds import Params
from worker.contract.inputs import Member, Source
from worker.contract.steps import run_steps
from worker.datasets.make_dataset import make
from worker.media.pictures import Picture, load_picture
from worker.runtime.patience import persist

P = TypeVar("P", bound=Params)


def with_datasets(datasets: DatasetService, params: P) -> P:
    """Params that name every set they use by its content. Makes built-in sets that have not been made.

    Raises InputError that names the param if a set is gone, or cannot be made.
    """
    names: dict[str, str] = {}
    for field, reference in params.datasets().items():
        if params.dataset_fields()[field].is_open:
            continue
        dataset = find_dataset(datasets.engine, reference)
        if dataset is None:
            raise InputError(field, f"The set {reference} was deleted: make it again.")
        if dataset.state == "open":
            if dataset.source not in BUILT_IN:
                raise InputError(field, f"Set {dataset.name!r} is open: close it first.")
            try:
                dataset = run_steps(make(datasets, dataset))
            except Cifar10Error as error:
                raise InputError(field, str(error)) from error
        names[field] = dataset.reference
    return params.model_copy(update=names)


def load_sets(datasets: DatasetService, params: Params) -> tuple[dict[str, Sequence[Member]], dict[str, str]]:
    """The members of closed sets that params name by content, and the hashes of these sets, by param."""
    sets: dict[str, Sequence[Member]] = {}
    hashes: dict[str, str] = {}
    for field, reference in params.datasets().items():
        dataset = None
        if not params.dataset_fields()[field].is_open:
            dataset = find_dataset(datasets.engine, reference)
        if dataset is not None and dataset.sha256 is not None:
            require_parts(datasets.engine, dataset)
            sides = params.picture_side(field), params.picture_short_side(field)
            sets[field] = [
                Member(
                    Source(
                        member.sha256,
                        partial(_load, datasets, member, field, sides),
                    ),
                    member.label,
                    member.name,
                    member.part,
                    member.image_id,
                )
                for member in all_members(datasets.engine, dataset.id)
            ]
            hashes[field] = dataset.sha256
    return sets, hashes


def names_of_sets(engine: Engine, params: Params) -> dict[str, str]:
    """What people call the sets that params name, by param."""
    found = {field: find_dataset(engine, reference) for field, reference in params.datasets().items()}
    return {field: dataset.name for field, dataset in found.items() if dataset is not None}


def _load(
    datasets: DatasetService, member: StoredMember, field: str, sides: tuple[int | None, int | None]
) -> Picture:
    def load() -> Picture:
        try:
            file = datasets.storage.open(image_key(member.image_id))
        except FileNotFoundError:
            raise InputError(field, f"The file of {member.name} is gone: make the set again.") from None
        with file:
            return load_picture(file, field, *sides)

    return persist(load)
