"""Starts the API and the workers, restarts those that end, and stops them all together."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

import httpx
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import WATCH_CONNECTIONS, is_locked, make_engine, reason_of
from app.database.migrations import upgrade
from app.jobs.dispatch.base import Dispatcher, make_dispatcher
from app.jobs.dispatch.wakeups import run_dir
from app.jobs.job import Job
from app.jobs.reaper import expire_worker, finish_takeback, overdue_cancels, release_worker
from app.jobs.stored_files import open_storage
from app.settings import Settings
from app.supervision.api import command as api_command
from app.supervision.child import Child, python_command
from app.supervision.devices import devices_of
from app.supervision.liveness import LivenessTracker
from app.supervision.openmp import let_threads_sleep
from app.supervision.placing import Place, places, served_lanes
from app.supervision.schema_watch import SchemaWatch, await_schema
from app.supervision.startup import url_of
from app.workers import repository as workers
from app.workers.repository import Worker

TakeBack = Callable[[Engine, str, int], list[Job]]

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_CANCEL_CHECK_SECONDS = 0.5
_READY_CHECK_SECONDS = 0.2
_TAKE_BACK_SECONDS = 1.0
# How long the end waits for an `on_ready` that is still running.
_READY_CALL_SECONDS = 10.0
_MISCONFIGURED = 2
_KILLED = 130
# A computation must not make the page wait, nor one that takes longer those who wait for a shorter one.
_NICE: dict[str, int] = {"short": 1, "long": 10, "training": 15}


class Supervisor:
    """The service on a listening socket, or without a socket only its workers.

    There is a worker for each device and lane: an embedded one, or one of Celery if the settings name a
    Redis. They yield the cores to those of shorter jobs, and all do to the API. With a socket the database is
    migrated; without one its workers wait until an API has. ``on_ready`` is called with the URL, in a thread,
    as soon as ``/readyz`` answers 200. Raises StartError if devices or lanes do not fit.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket | None,
        *,
        on_ready: Callable[[str], None] = lambda url: None,
    ) -> None:
        self.url = url_of(listener) if listener is not None else ""
        self._listener = listener
        self._settings = settings
        self._on_ready = on_ready
        environment = _environment_of(settings)
        self._api: list[Child] = []
        if listener is not None:
            arguments = api_command(listener, settings)
            self._api.append(Child("api", lambda _: arguments, environment, listener=listener))
        module = "worker.runtime.local" if settings.redis_url is None else "worker.runtime.celery_main"
        self._workers = [
            Child(
                f"worker {place.device} {place.lane}",
                _worker_command(module, place),
                environment,
                nice=_NICE[place.lane],
            )
            for place in places(settings, served_lanes(settings), devices_of(settings))
        ]
        self._lost_workers: list[str] = []
        self._next_take_back = 0.0
        self._register: dict[str, Worker] = {}
        self._liveness = LivenessTracker(settings.lease_seconds)
        self._stopping = False
        self._misconfigured = False
        self.interrupted = False  # whether a signal ended the service
        self._interrupts = 0

    def stop(self) -> None:
        """Stop the service soon. May be called from any thread."""
        self._stopping = True

    def run(self) -> int:
        """Serve until SIGINT, SIGTERM, SIGHUP or :meth:`stop`; a second SIGINT kills at once.

        Call it in the main thread. Returns the exit code: 0; 2 if a process exited with EX_CONFIG because the
        settings are wrong, or if a newer release migrated the database; 130 after a second SIGINT. Raises one
        of UNAVAILABLE if the database cannot be used, SchemaMismatch if it is that of a newer release,
        WrongDataFolder if its files are not there.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        url = self._settings.resolved_database_url
        engine = make_engine(url, WATCH_CONNECTIONS)
        try:
            if self._listener is not None:
                upgrade(url)
            else:
                await_schema(engine, lambda: self._stopping)
            self._storage = open_storage(self._settings, engine)
        except BaseException:
            engine.dispose()
            raise
        dispatcher = make_dispatcher(self._settings)
        ready_thread = threading.Thread(target=self._await_ready, name="await-ready", daemon=True)
        if self.url:
            ready_thread.start()
        try:
            self._watch(engine, dispatcher)
        finally:
            # Those that had ended before count as lost.
            self._next_take_back = 0.0
            self._take_back(engine, dispatcher)
            killed = self._end_children()
            self._next_take_back = 0.0
            self._take_back(engine, dispatcher, release_worker)
            dispatcher.close()
            engine.dispose()
            if self._listener is not None:
                # Requests that will not be answered any more must not wait.
                self._listener.close()
                ready_thread.join(_READY_CALL_SECONDS)
            # Sockets of killed processes may be left in it; the next service removes them.
            with contextlib.suppress(OSError):
                run_dir(self._settings.data_dir).rmdir()
        return _MISCONFIGURED if self._misconfigured else _KILLED if killed else 0

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = self.interrupted = True
        if number == signal.SIGINT:
            self._interrupts += 1

    def _watch(self, engine: Engine, dispatcher: Dispatcher) -> None:
        children = [*self._api, *self._workers]
        next_cancel_check = 0.0
        schema = SchemaWatch(engine)
        if not self._stopping:
            for child in children:
                start(child, time.monotonic())
        while not self._stopping:
            now = time.monotonic()
            for child in children:
                self._check_child(child, now)
            self._take_back(engine, dispatcher)
            if now >= next_cancel_check:
                next_cancel_check = now + _CANCEL_CHECK_SECONDS
                self._kill_unresponsive(engine)
            if schema.is_outdated():
                # What runs would write rows of another shape. Jobs go on elsewhere, from their checkpoints.
                self._misconfigured = self._stopping = True
            time.sleep(_TICK_SECONDS)

    def _check_child(self, child: Child, now: float) -> None:
        if child.died():
            if child.returncode == os.EX_CONFIG and not child.ever_ready:
                # It has logged what is wrong with the settings; another start would not help.
                self._misconfigured = self._stopping = True
                return
            # One that was ready and ended well wants to be replaced.
            at_once = child.killed or (child.returncode == os.EX_OK and child.was_ready)
            pause = 0.0 if at_once else child.backoff.pause(ready=child.was_ready)
            level = logging.INFO if child.returncode == os.EX_OK else logging.WARNING
            logger.log(
                level, "The %s %s; starting it again in %g s.", child.label, child.describe_end(), pause
            )
            child.restart_at = now + pause
            if child in self._workers:
                self._lost_workers.append(child.worker_id)
        elif child.restart_at is not None and now >= child.restart_at:
            start(child, now)

    def _kill_unresponsive(self, engine: Engine) -> None:
        """Kill workers that ignore a cancel, or that send no heartbeat for as long as a lease lasts.

        The latter are frozen, or one of their threads lets no other run: what these do is shown first.
        """
        grace = self._settings.cancel_grace_seconds
        if self._settings.redis_url is not None:
            # A Celery worker kills its own child first, and goes on.
            grace *= 2
        try:
            overdue = overdue_cancels(engine, grace)
            seen = self._own_workers(engine)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("Cannot check the workers, trying again: %s", error)
            self._liveness.reset()
            return
        now = time.monotonic()
        silent = self._liveness.unresponsive({worker.worker_id: worker.seen_at for worker in seen}, now)
        if silent and not _takes_heartbeats(engine):
            self._liveness.reset()
            silent = set()
        for child in self._workers:
            if child.pid is None:
                continue
            if child.is_among(overdue):
                logger.warning("The %s did not stop after a cancel: killing it.", child.label)
                child.kill()
                continue
            own = [each for each in seen if each.worker_id in silent and child.is_among([each.worker_id])]
            if own:
                logger.warning("The %s sent no heartbeat for too long: ending it.", child.label)
                if not any([child.abort(worker.pid, now) for worker in own]):
                    child.kill()

    def _own_workers(self, engine: Engine) -> list[Worker]:
        """The workers that are on the register, or were, for as long as their processes are there.

        One that is silent for long is taken off, and one that ends takes itself off, which may hang.
        """
        found = {
            worker.worker_id: worker
            for child in self._workers
            for worker in workers.children_of(engine, child.worker_id)
        }
        before = self._register.values()
        left = {each.worker_id: each for each in before if any(c.has(each.pid) for c in self._workers)}
        self._register = left | found
        return list(self._register.values())

    def _take_back(self, engine: Engine, dispatcher: Dispatcher, take_back: TakeBack = expire_worker) -> None:
        """Take back the jobs of workers that ended; what fails is tried again a second later."""
        while self._lost_workers and time.monotonic() >= self._next_take_back:
            worker_id = self._lost_workers[0]
            try:
                jobs = take_back(engine, worker_id, self._settings.max_attempts)
                workers.unregister(engine, worker_id)
            except (SQLAlchemyError, OSError) as error:
                logger.warning("Cannot take back the jobs of %s yet: %s", worker_id, error)
                self._next_take_back = time.monotonic() + _TAKE_BACK_SECONDS
                return
            self._lost_workers.pop(0)
            finish_takeback(jobs, dispatcher, self._storage)

    def _end_children(self) -> bool:
        """Ask all to stop, then kill those that have not. Returns whether a second SIGINT came."""
        children = [*self._api, *self._workers]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + self._settings.shutdown_seconds
        while any(child.pid is not None for child in children):
            interrupted_twice = self._interrupts > 1
            if interrupted_twice or time.monotonic() >= deadline:
                for child in children:
                    child.kill()
            for child in children:
                child.died()
            time.sleep(_TICK_SECONDS / 2)
        self._lost_workers.extend(child.worker_id for child in self._workers if child.worker_id)
        return self._interrupts > 1

    def _await_ready(self) -> None:
        while not self._stopping:
            try:
                # Never through a proxy: it is a process of this machine.
                # By a name that is always allowed.
                headers = {"Host": "localhost"}
                if httpx.get(f"{self.url}/readyz", headers=headers, timeout=5, trust_env=False).is_success:
                    self._on_ready(self.url)
                    return
            except httpx.TransportError as error:
                logger.debug("Not ready yet: %s", error)
            time.sleep(_READY_CHECK_SECONDS)


def _takes_heartbeats(engine: Engine) -> bool:
    """Whether a worker that is alive can say so; not where the database is a replica, say, or has no space.

    It can also where one that is frozen holds the write lock: then that one has to go.
    """
    try:
        workers.try_to_write(engine)
    except SQLAlchemyError as error:
        logger.warning("Cannot tell whether the workers are alive: %s", reason_of(error))
        return is_locked(error)
    return True


def start(child: Child, now: float) -> None:
    """Start a child, or have it started later where the machine cannot start a process now."""
    try:
        child.start()
    except OSError as error:
        pause = child.backoff.pause(ready=False)
        logger.warning("Cannot start the %s, trying again in %g s: %s", child.label, pause, error)
        child.restart_at = now + pause


def _environment_of(settings: Settings) -> dict[str, str]:
    """This process's environment with exactly these settings."""
    names = {f"IMPASTO_{name}".upper(): getattr(settings, name) for name in type(settings).model_fields}
    other = {name: value for name, value in os.environ.items() if name.upper() not in names}
    let_threads_sleep(other)
    return other | {name: str(value) for name, value in names.items() if value is not None}


def _worker_command(module: str, place: Place) -> Callable[[str], list[str]]:
    options = ["--lane", place.lane, "--device", place.device, "--sharing", str(place.sharing)]
    return lambda worker_id: python_command(module, *options, "--worker-id", worker_id)
