"""The table of stored pictures and clips."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table, Text, false

from app.database.keys import key_columns
from app.database.metadata import metadata

images = Table(
    "images",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text),
    Column("media_type", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("frames", Integer, nullable=False, server_default="1"),
    Column("created_at", Float(53), nullable=False),
    # It came with a set, and goes with the last set that holds it.
    Column("imported", Boolean, nullable=False, server_default=false()),
    *key_columns(),
)
