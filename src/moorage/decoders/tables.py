"""Tables of decoders: what they are, their texts, their test cases, and what goes wrong."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

decoders = Table(
    "decoders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    # The runtime's name: `javascript`, `cayenne-lpp`, or a plugin's.
    Column("kind", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    # UCUM codes by series name, for what the text itself gives no unit.
    Column("units", JSONB, nullable=False),
    # The `n` of the version in force. No foreign key: it would point in a circle.
    Column("version", Integer, nullable=False),
    *stamps(),
)
Index("decoders_name_key", decoders.c.organization_id, func.lower(decoders.c.name), unique=True)
Index("decoders_by_name", func.lower(decoders.c.name), decoders.c.id)
Index("decoders_shared", decoders.c.id, postgresql_where=decoders.c.shared)

decoder_versions = Table(
    "decoder_versions",
    metadata,
    Column("decoder_id", ForeignKey("decoders.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    # SHA-256 in hex; the same text is the same version.
    Column("hash", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Uuid, nullable=False),
    UniqueConstraint("decoder_id", "hash"),
    Index("decoder_versions_hash", "hash"),
)

decoder_test_cases = Table(
    "decoder_test_cases",
    metadata,
    Column("decoder_id", ForeignKey("decoders.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("input", JSONB, nullable=False),
    Column("expected", JSONB, nullable=False),
    CheckConstraint("direction IN ('decode', 'decodeDownlink', 'encode')", name="direction"),
)

# What decoders could not do, by device and day; written in batches by the message path. Devices
# stand above this slice and may vanish while a batch is written, so no foreign key names them.
decoder_problems = Table(
    "decoder_problems",
    metadata,
    Column("decoder_id", ForeignKey("decoders.id", ondelete="CASCADE"), primary_key=True),
    Column("device_number", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("hash", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("decoder_problems_day", "day"),
    Index("decoder_problems_last", "decoder_id", "last_at"),
)
