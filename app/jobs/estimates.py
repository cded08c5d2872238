"""What jobs will take, before anything runs: time and memory, from what was measured."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy import Engine

from app.jobs.admission import memory_of
from app.jobs.history import Basis, Pace, likeness, pace_of, work_of
from app.jobs.schemas import Estimate
from app.kinds import Params, spec_of
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue
from app.workers.repository import list_alive


@dataclass(frozen=True)
class _One:
    """The estimate of one job, and the lane that it would be in."""

    seconds: float | None
    memory_bytes: int | None
    basis: Basis | None
    lane: str


@dataclass
class Estimator:
    """Adds up what jobs will take, each of resolved params; equal ones are estimated once."""

    engine: Engine
    by_kind: Counter[str] = field(default_factory=Counter)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _found: dict[tuple[str, str], _One] = field(default_factory=dict)
    _cards: dict[str, NetworkCard | None] = field(default_factory=dict)
    _paces: dict[tuple[str, str], Pace | None] = field(default_factory=dict)

    def add(self, params: Params, shape: float | None = None) -> None:
        """Count a job in; ``shape`` is its :func:`shape_of` (None: a square)."""
        kind = spec_of(params).name
        self.by_kind[kind] += 1
        shape = 1.0 if shape is None else shape
        group = kind, f"{shape:.2f} {_shared(params)}"
        self._counts[group] += 1
        if group not in self._found:
            self._found[group] = self._estimate(kind, params, shape)

    def estimate(self) -> Estimate:
        """Of all jobs one after the other, and of the memory of the largest.

        ``seconds`` are null if those of one are not known; ``basis`` is ``reference`` if that of one is.
        """
        found = [(self._found[group], count) for group, count in self._counts.items()]
        seconds = [None if one.seconds is None else count * one.seconds for one, count in found]
        known = [each for each in seconds if each is not None]
        memory = [one.memory_bytes for one, _ in found if one.memory_bytes is not None]
        whole = bool(found) and len(known) == len(found)
        bases = {one.basis for one, _ in found}
        return Estimate(
            seconds=_rounded(sum(known)) if whole else None,
            memory_bytes=max(memory, default=None),
            basis=None if not whole else "reference" if "reference" in bases else "here",
        )

    def workers(self) -> int:
        """How many workers that are alive would share the jobs."""
        lanes = {one.lane for one in self._found.values()}
        return sum(bool(lanes & {*worker.lanes}) for worker in list_alive(self.engine))

    def _estimate(self, kind: str, params: Params, shape: float) -> _One:
        need = params.network_need()
        name = None if need is None else need.name
        card = None if name is None else self._card(name)
        lane = spec_of(params).lane_of(params, card)
        is_built = name is None and getattr(params, "architecture", None)
        memory = None if is_built else self._memory(params, card, shape)
        work = work_of(self.engine, params, card)
        if work is None:
            return _One(None, memory, None, lane)
        group = kind, likeness(params, name)
        if group not in self._paces:
            self._paces[group] = pace_of(self.engine, kind, params, name)
        pace = self._paces[group]
        if pace is None:
            return _One(None, memory, None, lane)
        return _One(work * pace.seconds, memory, pace.basis, lane)

    def _memory(self, params: Params, card: NetworkCard | None, shape: float) -> int:
        return memory_of(params, [card, *(self._card(name) for name in params.further_networks())], shape)

    def _card(self, name: str) -> NetworkCard | None:
        if name not in self._cards:
            self._cards[name] = Catalogue(self.engine).find(name)
        return self._cards[name]


def estimate(engine: Engine, params: Params, shape: float | None = None) -> Estimate:
    """What a job of resolved params will take, whose first picture has a ``shape``."""
    estimator = Estimator(engine)
    estimator.add(params, shape)
    return estimator.estimate()


def _shared(params: Params) -> str:
    """What an estimate depends on: all but which pictures and seeds they are."""
    pictures = _pictures(type(params))
    shown = []
    for name, value in vars(params).items():
        if name in pictures and value:
            shown.append(1 if isinstance(value, str) else len(value))
        elif name != "seed":
            shown.append(value)
    return repr(shown)


@cache
def _pictures(params: type[Params]) -> frozenset[str]:
    return frozenset(params.picture_fields())


def _rounded(seconds: float) -> float:
    return float(f"{seconds:.3g}")
