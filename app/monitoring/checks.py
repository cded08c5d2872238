"""What an operator may have to mend: of the data folder, the database, Redis, the workers and the weights."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import current_time, make_engine, reason_of
from app.database.schema import schema_of
from app.jobs.repository import oldest_waiting
from app.jobs.stored_files import WrongDataFolder, require_files
from app.kinds import all_lanes
from app.networks import list_cards
from app.networks.weights_folder import local_weights
from app.settings import Settings
from app.workers import repository as workers

# Between the clocks of two machines. Leases follow the database's clock alone, logs do not.
CLOCK_SECONDS = 5.0
# A statement that takes longer slows every request down.
SLOW_SECONDS = 1.0
REDIS_SECONDS = 3.0


@dataclass(frozen=True)
class Check:
    """What was found of a part, and what to do about it if it is not ``ok``."""

    part: str
    state: Literal["ok", "warning", "wrong"]
    found: str
    remedy: str = ""


def all_checks(settings: Settings) -> Iterator[Check]:
    """All checks that need no torch; one that fails says why, and the next go on. They change nothing."""
    yield from check_folder(settings)
    yield from check_redis(settings)
    file = settings.database_file
    if file is not None and not file.exists():
        yield Check("database", "warning", f"{file} is not there yet", "The service makes it when it starts.")
    else:
        yield from _check_open_database(settings)
    if settings.data_dir.is_dir():
        yield from check_weights(settings)


def _check_open_database(settings: Settings) -> Iterator[Check]:
    engine = make_engine(settings.resolved_database_url)
    try:
        found = list(check_database(engine))
        yield from found
        if found[0].state == "ok":
            yield from check_files(settings, engine)
            yield from check_workers(settings, engine)
    finally:
        engine.dispose()


def check_folder(settings: Settings) -> Iterator[Check]:
    """Whether the data folder can be written, and has space."""
    folder = settings.data_dir.resolve()
    if not folder.exists():
        remedy = "The service makes it when it starts; or set IMPASTO_DATA_DIR to that of your jobs."
        yield Check("data folder", "warning", f"{folder} is not there yet", remedy)
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
        missing = settings.min_free_bytes - shutil.disk_usage(folder).free
    except OSError as error:
        remedy = "Set IMPASTO_DATA_DIR to a folder that this user may write."
        yield Check("data folder", "wrong", f"{folder}: {error.strerror}", remedy)
        return
    if missing > 0:
        found = f"{folder}: {missing:,} bytes are missing of those that stay free (IMPASTO_MIN_FREE_BYTES)"
        yield Check(
            "data folder", "wrong", found, "Delete old jobs and unused uploads, or other files there."
        )
    else:
        yield Check("data folder", "ok", str(folder))


def check_database(engine: Engine) -> Iterator[Check]:
    """Whether it answers soon, has the tables of this version, and agrees about the time."""
    name = engine.url.render_as_string(hide_password=True)
    try:
        began = time.monotonic()
        ahead = current_time(engine) - time.time()
        took = time.monotonic() - began
        schema = schema_of(engine)
    except SQLAlchemyError as error:
        remedy = "Start it, or mend IMPASTO_DATABASE_URL."
        yield Check("database", "wrong", f"{name}: {reason_of(error)}", remedy)
        return
    match schema.state:
        case "current":
            yield Check("database", "ok", name)
        case "empty":
            remedy = "The service makes its tables when it starts."
            yield Check("database", "warning", f"{name} is empty", remedy)
        case _:
            yield Check("database", "wrong", f"{name}: {schema.found}", schema.remedy)
    if took > SLOW_SECONDS:
        yield Check(
            "its answers", "warning", f"the first one took {took:.1f} s", "Bring the database nearer."
        )
    if abs(ahead) > CLOCK_SECONDS:
        found = f"the database's is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        yield Check("clock", "warning", found, "Let both follow NTP: times in logs and answers do not agree.")
    else:
        now = datetime.fromtimestamp(time.time(), UTC)
        yield Check("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC, as the database says")


def check_files(settings: Settings, engine: Engine) -> Iterator[Check]:
    """Whether the data folder has files, if the database names some."""
    try:
        require_files(settings, engine)
    except WrongDataFolder as error:
        yield Check("files", "wrong", error.found, error.remedy)


def check_redis(settings: Settings) -> Iterator[Check]:
    """Whether it answers, if there is one, and keeps what it is sent."""
    if settings.redis_url is None:
        yield Check("Redis", "ok", "not set: jobs run in the processes of `impasto serve`")
        return
    answer = _ask_redis(settings.redis_url)
    if not settings.shares_database:
        yield Check(
            "Redis",
            "wrong",
            "IMPASTO_REDIS_URL is set, and IMPASTO_DATABASE_URL names no PostgreSQL",
            "Workers on several machines share one: set its URL, or leave out that of Redis.",
        )
    if settings.shares_database or answer.state != "ok":
        yield answer


def _ask_redis(url: str) -> Check:
    wait = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    try:
        client = redis.Redis.from_url(url, **wait)
        with client:
            client.ping()
            policy = dict(client.config_get("maxmemory-policy")).get("maxmemory-policy")
    except (RedisError, OSError, ValueError) as error:
        return Check("Redis", "wrong", f"{error}", "Start it, or mend IMPASTO_REDIS_URL.")
    if policy not in (None, "noeviction"):
        remedy = "Set it to noeviction: messages to workers are lost otherwise, and sent again late."
        return Check("Redis", "warning", f"maxmemory-policy is {policy}", remedy)
    return Check("Redis", "ok", "answers")


def check_workers(settings: Settings, engine: Engine) -> Iterator[Check]:
    """Whether every lane has a worker; a lane in which jobs wait must."""
    alive, waiting = workers.list_alive(engine), oldest_waiting(engine)
    served = {lane for worker in alive for lane in worker.lanes}
    missing = sorted(set(settings.lane_names or all_lanes()) - served)
    stuck = sorted(set(waiting) - served)
    if stuck:
        longest = max(waiting[lane] for lane in stuck)
        found = f"jobs wait since {longest:.0f} s in lanes without a worker: {', '.join(stuck)}"
        yield Check("workers", "wrong", found, "Start a worker: `impasto serve`, or `impasto worker`.")
    elif not alive:
        yield Check("workers", "warning", "none is alive", "Start `impasto serve`, or `impasto worker`.")
    elif missing:
        found = f"none for the lanes {', '.join(missing)}"
        yield Check("workers", "warning", found, "Start a worker for them.")
    else:
        devices = sorted({worker.device for worker in alive})
        yield Check("workers", "ok", f"{len(alive)} alive, on {', '.join(devices)}")


def check_weights(settings: Settings) -> Iterator[Check]:
    """Which networks have their weights here. Those that none has downloaded are missed by nobody."""
    folder = settings.weights.path
    names = [card.name for card in list_cards() if card.download is not None]
    here = [name for name in names if local_weights(folder, name) is not None]
    broken = [name for name in names if name not in here and (folder / f"{name}.safetensors").exists()]
    if broken:
        found = f"cannot be read: {', '.join(broken)}"
        yield Check("weights", "wrong", found, f"Run `impasto weights pull {broken[0]}`.")
    else:
        found = f"{len(here)} of {len(names)} networks are downloaded"
        yield Check("weights", "ok", found)


def attempt(part: str, check: Callable[[], str], remedy: str) -> Check:
    """A check that says what it found, or raises an exception that says what is wrong."""
    try:
        return Check(part, "ok", check())
    except Exception as error:
        return Check(part, "wrong", str(error), remedy)
