"""The table of the networks that were imported or trained here."""

from sqlalchemy import JSON, BigInteger, Column, Float, String, Table

from app.database.keys import key_columns
from app.database.metadata import metadata

networks = Table(
    "networks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    # Of the weights, not of the file: networks may share it.
    Column("sha256", String(64), nullable=False, index=True),
    Column("card", JSON, nullable=False),
    Column("key", String(255), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("created_at", Float(53), nullable=False),
    *key_columns(),
)
