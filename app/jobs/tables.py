"""The tables of jobs, their artifacts, their events, and the pictures that they need."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    text,
)

from app.database.metadata import metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    # Grows by one at every change: the id of the change's event.
    Column("seq", Integer, nullable=False),
    Column("params", JSON, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    # Grows by one at every claim and never resets: with worker_id it is the fencing token.
    Column("attempt", Integer, nullable=False),
    # Attempts whose worker died, since a checkpoint last advanced.
    Column("lost_attempts", Integer, nullable=False),
    Column("worker_id", String(128)),
    Column("lease_until", Float(53)),
    Column("cancel_requested_at", Float(53)),
    # To end early, with the best so far; every attempt from then on does.
    Column("finish_requested_at", Float(53)),
    Column("created_at", Float(53), nullable=False),
    Column("started_at", Float(53)),
    Column("finished_at", Float(53)),
    Column("hinted_at", Float(53), nullable=False),
    Column("progress", JSON(none_as_null=True)),
    Column("checkpoint", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("retry_of", String(36)),
    Column("batch_id", String(36)),
    Column("idempotency_key", String(255), unique=True),
    Column("payload_hash", String(64)),
    # The network that the job uses, and the hash of its weights, by which it is found when it was renamed.
    Column("network", String(64)),
    Column("network_sha256", String(64)),
    # The same of those that it uses beside that one, by name; null: none.
    Column("further_networks", JSON(none_as_null=True)),
    # Waiting jobs that have the same can be claimed and computed together; null: this one is computed alone.
    Column("batch_key", String(64)),
    # Ids sort by time, so lists page by id.
    Index(None, "kind", "id"),
    Index(None, "state", "id"),
    Index(None, "network_sha256", "state"),
)

# In the order of claims, so that the next job is the first entry however many wait.
Index("ix_jobs_claim", jobs.c.lane, jobs.c.state, jobs.c.paused, jobs.c.priority.desc(), jobs.c.id)

# The same for jobs that can be computed together: few have a key, so that others do not pay for it.
Index(
    "ix_jobs_batch",
    jobs.c.batch_key,
    jobs.c.state,
    jobs.c.priority.desc(),
    jobs.c.id,
    postgresql_where=jobs.c.batch_key.is_not(None),
    sqlite_where=jobs.c.batch_key.is_not(None),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("key", String(255), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)

# Which jobs need which stored pictures: a picture that a waiting job needs cannot be deleted.
job_pictures = Table(
    "job_pictures",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("reference", String(200), primary_key=True),
    Index(None, "reference"),
)

# Which jobs need or fill which sets: such a set cannot be deleted while a job waits.
job_datasets = Table(
    "job_datasets",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    # No reference: a job that has ended outlives its sets.
    Column("dataset_id", String(36), primary_key=True),
    Index(None, "dataset_id"),
)

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("type", String(16), nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Float(53), nullable=False),
)
