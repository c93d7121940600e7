"""Tables of targets, routes, the outbox and what became of deliveries."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, REAL
from sqlalchemy.schema import SchemaItem

from moorage.kit.tables import metadata, stamps


def _owners(table: str) -> tuple[SchemaItem, ...]:
    """Give the columns that say whose a row is; they follow an application that moves."""
    return (
        Column("organization_id", Uuid, nullable=False),
        Column("application_id", Uuid, nullable=False),
        ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            onupdate="CASCADE",
            ondelete="CASCADE",
            name=f"{table}_application_fkey",
        ),
    )


targets = Table(
    "targets",
    metadata,
    Column("id", Uuid, primary_key=True),
    *_owners("targets"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    # The names stay readable; the values are one sealed JSON object.
    Column("secret_names", ARRAY(Text), nullable=False),
    Column("sealed_secrets", LargeBinary),
    Column("paused", Boolean, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("max_age_s", Integer, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("receipt_days", Integer, nullable=False),
    *stamps(),
    Index("targets_organization", "organization_id"),
)
Index("targets_name_key", targets.c.application_id, func.lower(targets.c.name), unique=True)

target_health = Table(
    "target_health",
    metadata,
    Column("target_id", ForeignKey("targets.id", ondelete="CASCADE"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("accepted_at", DateTime(timezone=True)),
    Column("failed_at", DateTime(timezone=True)),
    Column("error", Text, nullable=False),
    Column("retry_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('idle', 'ok', 'failing', 'open')", name="state"),
)

target_routes = Table(
    "target_routes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("target_id", ForeignKey("targets.id", ondelete="CASCADE"), nullable=False, index=True),
    *_owners("target_routes"),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("decoder_id", ForeignKey("decoders.id"), index=True),
    Column("device_ids", ARRAY(Uuid)),
    Column("tags", ARRAY(Text), nullable=False),
    Column("conditions", JSONB, nullable=False),
    Column("sampling", JSONB, nullable=False),
    *stamps(),
    Index("target_routes_application", "application_id"),
    CheckConstraint("source IN ('document', 'raw')", name="source"),
    CheckConstraint("decoder_id IS NULL OR source = 'document'", name="decoder"),
)

# Written and emptied at the rate of messages: no foreign keys, one index. Inserting happens under
# one lock, so `n` is given in commit order and a reader never passes a row that commits late.
target_outbox = Table(
    "target_outbox",
    metadata,
    Column("target_id", Uuid, nullable=False),
    Column("n", BigInteger, Identity(always=True), nullable=False),
    Column("route_id", Uuid, nullable=False),
    Column("device", Integer, nullable=False),
    Column("key", Uuid, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("enqueued_at", DateTime(timezone=True), nullable=False),
    Column("day", Date, nullable=False),
    Column("attempts", Integer, nullable=False),
    PrimaryKeyConstraint("target_id", "n"),
)

target_samples = Table(
    "target_samples",
    metadata,
    Column("route_id", ForeignKey("target_routes.id", ondelete="CASCADE"), primary_key=True),
    Column("device", Integer, primary_key=True),
    Column("seen", BigInteger, nullable=False),
    Column("passed_us", BigInteger, nullable=False),
)

# One row for each writer (`what`), so that who takes in never waits for who delivers.
target_counts = Table(
    "target_counts",
    metadata,
    Column("target_id", ForeignKey("targets.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    CheckConstraint("what IN ('sent', 'accepted', 'dead', 'discarded')", name="what"),
)

target_letters = Table(
    "target_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("target_id", ForeignKey("targets.id", ondelete="CASCADE"), nullable=False),
    Column("route_id", Uuid, nullable=False),
    Column("device", Integer, nullable=False),
    Column("key", Uuid, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("enqueued_at", DateTime(timezone=True), nullable=False),
    Column("day", Date, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    Column("answer", Text, nullable=False),
    *stamps(),
    Index("target_letters_target", "target_id", "id"),
    CheckConstraint("reason IN ('refused', 'attempts', 'age', 'decoder')", name="reason"),
)

# A row a settled delivery, written at the rate of messages: narrow, no foreign keys; columns stand
# in the order that wastes no bytes on alignment. `outcome` is 0 for accepted, else why not.
target_receipts = Table(
    "target_receipts",
    metadata,
    Column("at", DateTime(timezone=True), nullable=False),
    Column("target_id", Uuid, nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("key", Uuid, nullable=False),
    Column("device", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("status", Integer),
    Column("outcome", SmallInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Index("target_receipts_target_at", "target_id", "at"),
    Index("target_receipts_message", "message_id"),
    postgresql_partition_by="RANGE (at)",
)
# What was given up is rare, and asked for most.
Index(
    "target_receipts_dead",
    target_receipts.c.target_id,
    target_receipts.c.at,
    postgresql_where=target_receipts.c.outcome > 0,
)

target_log = Table(
    "target_log",
    metadata,
    Column("target_id", Uuid, nullable=False),
    Column("n", BigInteger, Identity(always=True), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("device_id", Uuid),
    Column("message_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Integer),
    Column("latency_ms", REAL, nullable=False),
    Column("detail", Text, nullable=False),
    Column("answer", Text, nullable=False),
    PrimaryKeyConstraint("target_id", "n"),
)

target_replays = Table(
    "target_replays",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("target_id", ForeignKey("targets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("from_at", DateTime(timezone=True), nullable=False),
    Column("to_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("enqueued", BigInteger, nullable=False),
    Column("position", Text, nullable=False),
    *stamps(),
    CheckConstraint("state IN ('waiting', 'running', 'done', 'cancelled')", name="state"),
)
