"""The tables of batches, and of their lines that became no job."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Integer, String, Table

from app.database.keys import key_columns
from app.database.metadata import metadata
from app.log_context import MAX_REQUEST_ID

batches = Table(
    "batches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False),
    # "jsonl" or "matrix"; of a matrix what it is over: see app/batches/batch.py.
    Column("source", String(16), nullable=False),
    Column("matrix", JSON(none_as_null=True)),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    # None of its jobs is computed together with another.
    Column("reproducible", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False),
    # Lines in all, from 1; the next one that becomes a job, and where it begins in the file of lines.
    Column("lines", Integer, nullable=False),
    Column("next_line", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    # The storage key of the file of lines.
    Column("spool", String(255), nullable=False),
    # How often it was cancelled, paused, resumed or retried, and up to which of these its jobs follow.
    Column("revision", Integer, nullable=False),
    Column("applied", Integer, nullable=False),
    # While failed entries are retried: the next line to look at.
    Column("retry_line", Integer),
    # The process that works it off, and until when.
    Column("worker_id", String(128)),
    Column("lease_until", Float(53)),
    Column("created_at", Float(53), nullable=False),
    Column("finished_at", Float(53)),
    # Of an ended batch its entries by state, which would take long to count for each page of batches.
    Column("counts", JSON(none_as_null=True)),
    Column("cancel_requested_at", Float(53)),
    Column("delete_requested_at", Float(53)),
    *key_columns(index=False),
    # The request that it came with, for the logs.
    Column("request_id", String(MAX_REQUEST_ID)),
)

# Failed entries without a job: lines that were wrong, and taken all the same.
batch_refusals = Table(
    "batch_refusals",
    metadata,
    Column("batch_id", ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("custom_id", String(200)),
    # As the error of a job.
    Column("error", JSON, nullable=False),
)
