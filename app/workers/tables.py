"""The register of worker processes."""

from sqlalchemy import JSON, Column, Float, Integer, String, Table

from app.database.metadata import metadata

workers = Table(
    "workers",
    metadata,
    Column("worker_id", String(128), primary_key=True),
    Column("lanes", JSON, nullable=False),
    Column("device", String(32), nullable=False),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float(53), nullable=False),
    Column("seen_at", Float(53), nullable=False),
)
