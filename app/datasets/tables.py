"""The tables of sets and their members."""

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
    UniqueConstraint,
    false,
)

from app.database.keys import key_columns
from app.database.metadata import metadata

datasets = Table(
    "datasets",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    # How its members come: "upload", or the built-in source that draws them, with its options.
    Column("source", String(16), nullable=False),
    Column("options", JSON, nullable=False),
    # "open" or "closed".
    Column("state", String(16), nullable=False),
    # Of the members in order; null while it is open.
    Column("sha256", String(64), index=True),
    Column("members", Integer, nullable=False),
    # Members whose picture another member has, too.
    Column("duplicates", Integer, nullable=False),
    # Of the files of all members, duplicates counted.
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("closed_at", Float(53)),
    # Whether its members have their parts: not if it was closed before there were any.
    Column("is_split", Boolean, nullable=False, server_default=false()),
    *key_columns(),
)

dataset_members = Table(
    "dataset_members",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    # No cascade: the database itself keeps a picture that a set holds.
    Column("image_id", ForeignKey("images.id"), nullable=False),
    # Of the picture's file, as images has it.
    Column("sha256", String(64), nullable=False),
    Column("label", String(100)),
    Column("name", String(400), nullable=False),
    Column("boxes", JSON(none_as_null=True)),
    # "train", "validation" or "test"; null: it has no label, or the set is open.
    Column("part", String(16)),
    # What makes a member the same: a call that is repeated adds nothing.
    UniqueConstraint("dataset_id", "sha256", "name", name="uq_dataset_members_sha256"),
    Index(None, "image_id"),
    Index(None, "dataset_id", "label"),
)
