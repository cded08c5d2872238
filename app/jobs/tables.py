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
    and_,
    literal_column,
    text,
)

from app.database.keys import key_columns
from app.database.metadata import metadata
from app.log_context import MAX_REQUEST_ID

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
    Column("progress", JSON(none_as_null=True)),
    Column("checkpoint", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("retry_of", String(36)),
    # The batch that it is an entry of, that entry's line (from 1; null: a retry took its place), and the name
    # that its client gave it.
    Column("batch_id", String(36)),
    Column("batch_line", Integer),
    Column("custom_id", String(200)),
    *key_columns(index=False),
    # The network that the job uses, and the hash of its weights, by which it is found when it was renamed.
    Column("network", String(64)),
    Column("network_sha256", String(64)),
    # The same of those that it uses beside that one, by name; null: none.
    Column("further_networks", JSON(none_as_null=True)),
    # Never computed together with others: its client asked for that.
    Column("reproducible", Boolean, nullable=False, server_default=text("false")),
    # Waiting jobs that have the same can be claimed and computed together; null: this one is computed alone.
    Column("stack_key", String(64)),
    # Whose it is, among whom a lane is shared: a batch has its id, single jobs share the empty one.
    Column("flow", String(36), nullable=False, server_default=""),
    # Its place among the waiting jobs of its lane and priority: see app/jobs/turns.py.
    Column("turn", Float(53), nullable=False, server_default="0"),
    # The request that it came with, for the logs.
    Column("request_id", String(MAX_REQUEST_ID)),
    # Ids sort by time, so lists page by id.
    Index(None, "kind", "id"),
    Index(None, "state", "id"),
    Index(None, "network_sha256", "state"),
    # For lists of the jobs of a batch, and of those of none.
    Index(None, "batch_id", "id"),
)

# In the order of claims, so that the next job is the first entry however many wait.
Index(
    "ix_jobs_claim",
    jobs.c.lane,
    jobs.c.state,
    jobs.c.paused,
    jobs.c.priority.desc(),
    jobs.c.turn,
    jobs.c.id,
)

# Literals: SQLite finds no partial index for a parameter.
IS_SUCCEEDED = jobs.c.state == literal_column("'succeeded'")
IS_QUEUED = jobs.c.state == literal_column("'queued'")
# What a job must be to be claimed.
IS_WAITING = (IS_QUEUED, jobs.c.paused.is_(False))

# In the order of claims, for jobs that can be computed together.
_CAN_STACK = and_(jobs.c.stack_key.is_not(None), IS_QUEUED)
Index(
    "ix_jobs_stack",
    jobs.c.stack_key,
    jobs.c.paused,
    jobs.c.priority.desc(),
    jobs.c.turn,
    jobs.c.id,
    postgresql_where=_CAN_STACK,
    sqlite_where=_CAN_STACK,
)
# For the last waiting job of a flow, which the next one follows.
Index(
    "ix_jobs_flow",
    jobs.c.flow,
    jobs.c.lane,
    jobs.c.priority,
    jobs.c.paused,
    jobs.c.turn,
    postgresql_where=IS_QUEUED,
    sqlite_where=IS_QUEUED,
)

# For the jobs that are old, those of batches aside.
_HAS_ENDED_ALONE = and_(jobs.c.batch_id.is_(None), jobs.c.finished_at.is_not(None))
Index(
    "ix_jobs_ended",
    # Without its column SQLite takes the index of batches, in which the jobs of none are one long run.
    jobs.c.batch_id,
    jobs.c.finished_at,
    jobs.c.id,
    postgresql_where=_HAS_ENDED_ALONE,
    sqlite_where=_HAS_ENDED_ALONE,
)

_IS_ENTRY = jobs.c.batch_line.is_not(None)
# For the pace of the jobs of a kind that ended: see app/jobs/history.py.
Index(
    "ix_jobs_measured",
    jobs.c.kind,
    jobs.c.network,
    jobs.c.finished_at,
    postgresql_where=IS_SUCCEEDED,
    sqlite_where=IS_SUCCEEDED,
)

# A line becomes one job, however often its expansion is tried.
Index(
    "ix_jobs_batch_line",
    jobs.c.batch_id,
    jobs.c.batch_line,
    unique=True,
    postgresql_where=_IS_ENTRY,
    sqlite_where=_IS_ENTRY,
)
# For the counts of a batch, and its entries in one state in the order of lines.
Index(
    "ix_jobs_batch_state",
    jobs.c.batch_id,
    jobs.c.state,
    jobs.c.batch_line,
    postgresql_where=_IS_ENTRY,
    sqlite_where=_IS_ENTRY,
)
# For what ended last. Only entries that have ended are in it, so that making them costs nothing.
_HAS_ENDED = and_(_IS_ENTRY, jobs.c.finished_at.is_not(None))
Index(
    "ix_jobs_batch_ends",
    jobs.c.batch_id,
    jobs.c.finished_at,
    jobs.c.id,
    postgresql_where=_HAS_ENDED,
    sqlite_where=_HAS_ENDED,
)

# Each lane at each priority: its present turn, and when a job was last claimed there; 0: never.
levels = Table(
    "levels",
    metadata,
    Column("lane", String(16), primary_key=True),
    Column("priority", Integer, primary_key=True),
    Column("turn", Float(53), nullable=False),
    Column("claimed_at", Float(53), nullable=False),
)

# What one process of the service does from time to time, and when it was last begun.
chores = Table(
    "chores",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("begun_at", Float(53), nullable=False),
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
