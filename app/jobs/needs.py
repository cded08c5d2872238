"""Which pictures, sets and networks jobs need. Rows are locked, so that of a delete and a submit at the same
moment one sees what the other did."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, or_, select

from app.database.engine import IN_ONE, write
from app.datasets.tables import datasets
from app.images.tables import images
from app.jobs.errors import JobInUse, JobNotEnded, NeedsGone, UnknownJob
from app.jobs.states import TERMINAL
from app.jobs.tables import artifacts, job_datasets, job_pictures, jobs
from app.networks.catalogue import is_shipped
from app.networks.tables import networks

T = TypeVar("T")

# Jobs that an error names.
NAMED = 6
# Raises an error if a picture or job must not be deleted, in the transaction that has locked it.
Keep = Callable[[Connection, str], None]


def lock_pictures(connection: Connection, references: Collection[str]) -> None:
    """Keep the pictures of some references until the transaction ends. Raises NeedsGone.

    A reference is the id of an image, or ``<job id>/<artifact>``.
    """
    ids = sorted({each for each in references if "/" not in each})
    made = {each for each in references if "/" in each}
    owners = sorted({each.partition("/")[0] for each in made})
    found: set[str] = set()
    # In the order of ids, so that two transactions never wait for each other.
    for start in range(0, len(ids), IN_ONE):
        query = select(images.c.id).where(images.c.id.in_(ids[start : start + IN_ONE])).order_by(images.c.id)
        found.update(connection.execute(query.with_for_update(read=True, key_share=True)).scalars())
    for start in range(0, len(owners), IN_ONE):
        some = artifacts.c.job_id.in_(owners[start : start + IN_ONE])
        rows = select(artifacts.c.job_id, artifacts.c.name).where(some)
        rows = rows.order_by(artifacts.c.job_id, artifacts.c.name)
        for job_id, name in connection.execute(rows.with_for_update(read=True, key_share=True)):
            found.add(f"{job_id}/{name}")
    if gone := sorted(made.union(ids) - found):
        raise NeedsGone(gone)


def nothing_kept(connection: Connection, reference: str) -> None:
    """The ``keep`` of a delete that nothing else forbids."""


def delete_job(engine: Engine, job_id: str, keep: Keep = nothing_kept) -> None:
    """Delete the rows of an ended job; its files are the caller's.

    Raises UnknownJob, JobNotEnded, JobInUse, and what ``keep`` raises.
    """
    with write(engine) as connection:
        connection.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update())
        made = select(artifacts.c.name).where(artifacts.c.job_id == job_id).order_by(artifacts.c.name)
        connection.execute(made.with_for_update())
        # Statements of their own, which on PostgreSQL see what was committed while the locks were awaited.
        require_deletable(connection, job_id, keep)
        connection.execute(delete(jobs).where(jobs.c.id == job_id))


def require_deletable(connection: Connection, job_id: str, keep: Keep = nothing_kept) -> None:
    """Raises UnknownJob, JobNotEnded, JobInUse, and what ``keep`` raises."""
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar()
    if state is None:
        raise UnknownJob(job_id)
    if state not in TERMINAL:
        raise JobNotEnded(job_id)
    names = connection.execute(select(artifacts.c.name).where(artifacts.c.job_id == job_id)).scalars()
    if users := users_of(connection, [f"{job_id}/{name}" for name in names]):
        raise JobInUse(users)
    keep(connection, job_id)


def users_of(connection: Connection, references: Collection[str], *, ended: bool = False) -> list[str]:
    """Ids of some jobs that need one of the pictures and have not ended, or of ``ended`` ones too."""
    query = (
        select(jobs.c.id)
        .distinct()
        .join(job_pictures, job_pictures.c.job_id == jobs.c.id)
        .where(job_pictures.c.reference.in_(references))
        .order_by(jobs.c.id)
        .limit(NAMED)
    )
    query = query if ended else query.where(jobs.c.state.not_in(TERMINAL))
    return list(connection.execute(query).scalars())


def pictures_needed(connection: Connection, references: Collection[str]) -> set[str]:
    """Those of some references whose pictures a job needs that has not ended."""
    query = (
        select(job_pictures.c.reference)
        .join(jobs, jobs.c.id == job_pictures.c.job_id)
        .where(job_pictures.c.reference.in_(references), jobs.c.state.not_in(TERMINAL))
    )
    return set(connection.execute(query).scalars())


def made_again_if_gone(make: Callable[[], T]) -> T:
    """What ``make`` checks and makes; once more if something that it needs is deleted between the two.

    Its check then says which param names what is not there, or finds what has been made under the same name.
    """
    try:
        return make()
    except NeedsGone:
        return make()


def lock_datasets(connection: Connection, dataset_ids: Collection[str]) -> None:
    """Keep some sets until the transaction ends. Raises NeedsGone."""
    query = select(datasets.c.id).where(datasets.c.id.in_(dataset_ids)).order_by(datasets.c.id)
    found = connection.execute(query.with_for_update(read=True, key_share=True)).scalars()
    if gone := sorted({*dataset_ids}.difference(found)):
        raise NeedsGone(gone)


def lock_networks(connection: Connection, used: Mapping[str, str | None]) -> None:
    """Keep the networks of some names, with the SHA-256 of their weights, until the transaction ends.

    Shipped ones are never deleted. Raises NeedsGone.
    """
    named = {sha256: name for name, sha256 in used.items() if sha256 is not None and not is_shipped(name)}
    query = select(networks.c.sha256).where(networks.c.sha256.in_(named)).order_by(networks.c.id)
    found = connection.execute(query.with_for_update(read=True, key_share=True)).scalars()
    if gone := sorted(set(named).difference(found)):
        raise NeedsGone([named[each] for each in gone])


def users_of_network(connection: Connection, sha256: str) -> list[str]:
    """Ids of jobs that have not ended and that use a network with these weights."""
    uses = or_(jobs.c.network_sha256 == sha256, jobs.c.further_networks.is_not(None))
    query = select(jobs.c.id, jobs.c.network_sha256, jobs.c.further_networks)
    rows = connection.execute(query.where(uses, jobs.c.state.not_in(TERMINAL)).order_by(jobs.c.id))
    return [job_id for job_id, own, further in rows if sha256 == own or sha256 in (further or {}).values()]


def users_of_dataset(connection: Connection, dataset_id: str) -> list[str]:
    """Ids of some jobs that have not ended and that need or fill a set."""
    query = (
        select(jobs.c.id)
        .join(job_datasets, job_datasets.c.job_id == jobs.c.id)
        .where(job_datasets.c.dataset_id == dataset_id, jobs.c.state.not_in(TERMINAL))
        .order_by(jobs.c.id)
        .limit(NAMED)
    )
    return list(connection.execute(query).scalars())
