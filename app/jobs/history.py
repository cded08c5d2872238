"""How fast jobs were computed: here, and on the machine that the reference figures are from."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import ColumnElement, Engine, RowMapping, select

from app.database.engine import read
from app.datasets.repository import find_dataset
from app.jobs.tables import IS_SUCCEEDED, jobs
from app.kinds import KINDS, Params
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue

# `python -m benchmarks.estimates --write` makes it.
REFERENCE = Path(__file__).with_name("reference.json")
# Jobs whose median counts.
MOST_JOBS = 20

Basis = Literal["here", "reference"]


@dataclass(frozen=True)
class Pace:
    """Seconds for each unit of work of a kind (``Params.work``), and where that was measured."""

    seconds: float
    basis: Basis


class Reference(BaseModel):
    """What was measured on the reference machine.

    ``seconds_per_work`` are by kind, then by what jobs are like, the network that most of a kind use first;
    ``worker_bytes`` is the memory of a worker that has computed nothing yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    machine: str
    command: str
    worker_bytes: int
    seconds_per_work: dict[str, dict[str, float]]


def likeness(params: Params, network: str | None) -> str:
    """What jobs of a kind share whose paces are much the same: the network, or what is built."""
    built: str | None = getattr(params, "architecture", None)
    return network or built or ""


def work_of(engine: Engine, params: Params, card: NetworkCard | None) -> float | None:
    """The work of a job of resolved params; None: nobody knows."""
    members = 0
    for reference in params.datasets().values():
        dataset = find_dataset(engine, reference)
        if dataset is None or not dataset.members:
            return None
        members += dataset.members
    return params.work(card, members)


def pace_of(engine: Engine, kind: str, params: Params, network: str | None) -> Pace | None:
    """The pace of a kind with a network (None: it needs none), measured here if it was; None: nowhere.

    Another network counts if none like it was measured; another architecture does not, since its work is
    not known before it is built.
    """
    like = likeness(params, network)
    here = _measured(engine, kind, jobs.c.network == network if network else jobs.c.network.is_(None))
    alike = [seconds for name, seconds in here if name == like][:MOST_JOBS]
    if alike:
        return Pace(median(alike), "here")
    if network is not None:
        others = [seconds for _, seconds in _measured(engine, kind, jobs.c.network.is_not(None))]
        if others:
            return Pace(median(others[:MOST_JOBS]), "here")
    figures = _reference().seconds_per_work.get(kind, {})
    known = figures.get(like) or (next(iter(figures.values()), None) if network is not None else None)
    return None if known is None else Pace(known, "reference")


def worker_bytes() -> int:
    """Memory of a worker process that has computed nothing yet, on the reference machine."""
    return _reference().worker_bytes


def _measured(engine: Engine, kind: str, where: ColumnElement[bool]) -> list[tuple[str, float]]:
    """Paces of the last jobs of a kind that were computed in one go, each with what it is like."""
    columns = (jobs.c.params, jobs.c.network, jobs.c.network_sha256)
    seconds = jobs.c.result["compute_seconds"].as_float().label("seconds")
    query = (
        select(*columns, seconds)
        .where(jobs.c.kind == kind, IS_SUCCEEDED, where)
        # An attempt that went on from a checkpoint says its own seconds alone.
        .where(jobs.c.attempt == 1, jobs.c.finish_requested_at.is_(None))
        .order_by(jobs.c.network.desc(), jobs.c.finished_at.desc())
        .limit(5 * MOST_JOBS)
    )
    with read(engine) as connection:
        rows = connection.execute(query).mappings().all()
    found = []
    for row in rows:
        pace = _pace(engine, kind, row)
        if pace is not None:
            found.append(pace)
    return found


def _pace(engine: Engine, kind: str, row: RowMapping) -> tuple[str, float] | None:
    """The pace of a job that ended; None if it says too little."""
    try:
        params = KINDS[kind].load(row["params"])
    except ValidationError:
        return None  # An earlier version wrote it.
    card = Catalogue(engine).find(row["network"], row["network_sha256"]) if row["network"] else None
    work = work_of(engine, params, card)
    if not work or row["seconds"] is None:
        return None
    return likeness(params, row["network"]), row["seconds"] / work


@cache
def _reference() -> Reference:
    return Reference.model_validate_json(REFERENCE.read_bytes())
