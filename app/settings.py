"""Every setting of the service, read from the environment with the prefix ``IMPASTO_``."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url

DATABASE_FILE = "impasto.db"  # in the data folder
# As long as threads can wait and databases can reckon; infinity would end what waits for it.
MAX_SECONDS, MAX_DAYS = 1e9, 36_500
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_DATABASE = re.compile(r"(postgresql(\+psycopg)?|sqlite(\+pysqlite)?)://")
_ORIGIN = re.compile(r"\*|https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_USUAL_PORT = re.compile(r"^(http:.*):80$|^(https:.*):443$")


@dataclass(frozen=True)
class WeightsFolder:
    """Where weights are kept, and the mirror that they are downloaded from: a URL of a folder of files."""

    path: Path
    mirror: str


class Settings(BaseSettings):
    """What an operator may set. Sizes are bytes, times are seconds, sides are pixels."""

    model_config = SettingsConfigDict(env_prefix="IMPASTO_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address the HTTP service listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the HTTP service; 0 picks one.")
    data_dir: Path = Field(Path("data"), description="Folder of the database and the pictures.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; unset: SQLite in the data folder.")
    database_connections: int = Field(
        8,
        ge=2,
        description="Connections of one API process to PostgreSQL at most. A worker has 1, and 3 for each "
        "device and lane.",
    )
    redis_url: str | None = Field(
        None,
        pattern="^rediss?://",
        description="Set: jobs go to Celery workers over this Redis, whose database is a PostgreSQL. Unset: "
        "embedded.",
    )
    allowed_hosts: str = Field(
        "",
        description="Names of the service beside those of loopback, with commas: `studio.example`, "
        "`*.example`, `*` for any. Empty: `host`, or any if that is no loopback address.",
    )
    allowed_origins: str = Field(
        "",
        description="Origins whose pages may call the API, with commas: `https://studio.example`, `*`.",
    )
    root_path: str = Field(
        "",
        description="Path under which a proxy shows the service, whether it removes it or not: `/impasto`.",
    )
    device: str = Field(
        "auto", description="auto (all GPUs, else the CPU), cpu, mps, cuda or cuda:N; several with commas."
    )
    training_devices: str = Field(
        "",
        description="Devices that each training uses together, and nothing else, with commas: "
        "`cuda:0,cuda:1`. Empty: the one of `device`, as for other jobs.",
    )
    lanes: str = Field(
        "",
        description="Lanes whose jobs run here, with commas: `short`, `long`, `training`. Empty: all. Jobs "
        "of other lanes wait for a worker elsewhere.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of activations; auto: bfloat16 where the hardware has it."
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="Threads of one worker's arithmetic. Unset: the cores, divided by the devices, which "
        "have a worker each in a lane. Workers of the lane `short` have one thread.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    log_format: Literal["text", "json"] = Field(
        "text", description="json: each line of the log is an object, for programs that collect logs."
    )
    access_log: bool | None = Field(
        None, description="Whether each request is logged. Unset: if jobs go over Redis."
    )

    lease_seconds: float = Field(30.0, gt=0, le=MAX_SECONDS, description="A worker silent this long is lost.")
    cancel_grace_seconds: float = Field(
        5.0, gt=0, le=MAX_SECONDS, description="A cancelled job that has not stopped by then is killed."
    )
    checkpoint_seconds: float = Field(30.0, gt=0, le=MAX_SECONDS, description="Time between checkpoints.")
    max_attempts: int = Field(3, ge=1, description="Attempts without progress before giving up.")
    stall_factor: float = Field(
        1.0,
        ge=0,
        le=1_000_000,
        description="Scales how long a running job may make no step, tile or phase before its worker counts "
        "as hung and ends, 15 minutes for most kinds; 0: for ever.",
    )
    recycle_jobs: int | None = Field(
        None,
        ge=1,
        description="Jobs after which a worker process is replaced, between two jobs; unset: never. Jobs "
        "that are computed together count as one; over Celery, so does a message that finds no job.",
    )
    recycle_bytes: int | None = Field(
        None,
        gt=0,
        description="Resident memory, at its peak, above which a worker process is replaced after a job; "
        "unset: never. A fresh one takes some hundred megabytes.",
    )
    shutdown_seconds: float = Field(
        20.0, gt=0, le=MAX_SECONDS, description="Time a worker has to save a checkpoint when told to stop."
    )

    weights_mirror: str = Field(
        "https://download.pytorch.org/models",
        pattern="^https?://",
        description="URL of a folder with the weights that torchvision publishes.",
    )

    min_free_bytes: int = Field(
        200_000_000, ge=0, description="Below this, nothing is uploaded, submitted or begun; 0: no limit."
    )
    keep_days: float | None = Field(
        None, gt=0, le=MAX_DAYS, description="Days after which ended jobs are deleted; unset: never."
    )
    keep_uploads_days: float | None = Field(
        None,
        gt=0,
        le=MAX_DAYS,
        description="Days after which uploads are deleted that no job and no set names; unset: never.",
    )

    max_image_bytes: int = Field(40 * 1000 * 1000, gt=0, description="One uploaded picture.")
    max_image_pixels: int = Field(64_000_000, gt=0, description="Width times height.")
    max_image_side: int = Field(16_384, gt=0, description="Longer side of a picture.")
    max_image_aspect: float = Field(
        32.0, ge=1, allow_inf_nan=False, description="Longer side over shorter side."
    )
    max_clip_bytes: int = Field(50 * 1000 * 1000, gt=0, description="One uploaded video or animation.")
    max_clip_frames: int = Field(600, gt=0, description="Frames of a clip.")
    max_clip_pixels: int = Field(
        6_000_000_000, gt=0, description="Pixels of all frames of a clip: as many as 600 of 3840×2160 have."
    )
    max_clip_seconds: float = Field(60.0, gt=0, le=MAX_SECONDS, description="Length of a clip.")
    max_request_bytes: int = Field(100 * 1000 * 1000, gt=0, description="One request's body.")
    max_picture_memory_bytes: int = Field(
        4_000_000_000,
        gt=0,
        description="Activations of one picture in a network that cannot be computed in tiles.",
    )
    worker_memory_bytes: int | None = Field(
        None,
        gt=0,
        description="Memory that a job may take of the device that computes it. Unset: all that the machine, "
        "its container or its GPU has. Jobs that cannot fit are refused.",
    )
    max_dataset_bytes: int = Field(20_000_000_000, gt=0, description="One set, and one upload to it.")
    max_dataset_members: int = Field(50_000, gt=0, description="Members of one set.")
    max_batch_lines: int = Field(50_000, gt=0, description="Lines of one batch.")
    max_batch_bytes: int = Field(200_000_000, gt=0, description="One batch's lines.")
    max_network_bytes: int = Field(2_000_000_000, gt=0, description="One imported network.")

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        names = [name.removesuffix(".").strip("[]") for name in _split(value)]
        for name in names:
            if not _HOST.fullmatch(name) and not _is_ipv6(name):
                raise ValueError(f"{name!r} is no name of a host: write it without scheme and port.")
        return ",".join(names)

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str | None) -> str | None:
        if value and not _DATABASE.match(value):
            # Without what follows the scheme, which has the password.
            raise ValueError(
                f"{value.partition(':')[0][:20]!r} is no database that there is a driver for: write "
                "postgresql://user:password@host/name, or sqlite:///path."
            )
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        # Browsers leave out the port that goes without saying.
        origins = [_USUAL_PORT.sub(r"\1\2", origin.removesuffix("/")) for origin in _split(value)]
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: write it as https://studio.example.")
        return ",".join(origins)

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        path = value.strip().strip("/")
        path = f"/{path}" if path else ""
        if not _ROOT_PATH.fullmatch(path):
            raise ValueError(f"{value!r} is no path of a URL: write it as /impasto, without name and port.")
        return path

    @property
    def logs_requests(self) -> bool:
        """Whether each request is logged."""
        return self.redis_url is not None if self.access_log is None else self.access_log

    @property
    def names_database(self) -> bool:
        """Whether ``database_url`` names a database; empty is as unset."""
        return bool(self.database_url)

    @property
    def database_file(self) -> Path | None:
        """The file of the database, which may be missing; None if it is no SQLite that a path names."""
        name = self.resolved_database_url.database or ""
        if self.shares_database or name in ("", ":memory:") or name.startswith("file:"):
            return None
        return Path(name)

    @property
    def shares_database(self) -> bool:
        """Whether the database is one that several machines can use: not SQLite."""
        return self.resolved_database_url.get_backend_name() != "sqlite"

    @property
    def host_names(self) -> list[str]:
        """The names of ``allowed_hosts``, in lower case."""
        return _split(self.allowed_hosts)

    @property
    def lane_names(self) -> list[str]:
        """The lanes of ``lanes``, in order."""
        return _split(self.lanes)

    @property
    def origins(self) -> list[str]:
        """The origins of ``allowed_origins``, as browsers write them."""
        return _split(self.allowed_origins)

    @property
    def device_names(self) -> list[str]:
        """The devices of ``device``, in order; the same one may be there several times."""
        return _split(self.device)

    @property
    def training_device_names(self) -> list[str]:
        """The devices of ``training_devices``, in order; the same one may be there several times."""
        return _split(self.training_devices)

    @property
    def weights(self) -> WeightsFolder:
        """Where weights are kept, and where they come from."""
        return WeightsFolder((self.data_dir / "weights").resolve(), self.weights_mirror)

    @property
    def resolved_database_url(self) -> URL:
        """The database URL, or SQLite in the data folder."""
        if self.database_url:
            return make_url(self.database_url)
        return sqlite_url((self.data_dir / DATABASE_FILE).resolve())


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file, whose path may have characters that have a meaning in a URL."""
    return URL.create("sqlite", database=str(path))


def _split(text: str) -> list[str]:
    return [part for part in (part.strip().lower() for part in text.split(",")) if part]


def _is_ipv6(name: str) -> bool:
    try:
        IPv6Address(name)
    except ValueError:
        return False
    return True


@lru_cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
