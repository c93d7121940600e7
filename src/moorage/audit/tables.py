"""Tables of the chains, their checkpoints and keys, and of the system log.

The facts themselves are the kit's.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

# One row a chain. Not tied to the organization, whose audit outlives it.
audit_chains = Table(
    "audit_chains",
    metadata,
    Column("organization_id", Uuid),
    Column("place", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("signed_place", BigInteger, nullable=False, server_default=text("0")),
    Column("unsigned_since", DateTime(timezone=True)),
    Column("dropped_place", BigInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("organization_id", postgresql_nulls_not_distinct=True),
)

audit_keys = Table(
    "audit_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("public", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("retired_at", DateTime(timezone=True)),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("organization_id", Uuid),
    Column("place", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("key_id", ForeignKey("audit_keys.id"), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    UniqueConstraint("organization_id", "place", postgresql_nulls_not_distinct=True),
)

# Where the audit and the system log are sent, with positions.
audit_collectors = Table(
    "audit_collectors",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("contents", ARRAY(Text), nullable=False),
    Column("authority", Text),
    Column("sealed_token", LargeBinary),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    *stamps(),
)

# What the sender writes: beside the collector, so that it does not change the collector's ETag.
audit_collector_states = Table(
    "audit_collector_states",
    metadata,
    Column("collector_id", ForeignKey("audit_collectors.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("log_transaction", BigInteger, nullable=False),
    Column("log_id", BigInteger, nullable=False),
    Column("checkpoint_id", BigInteger, nullable=False),
    Column("taken_at", DateTime(timezone=True)),
    Column("failing_since", DateTime(timezone=True)),
    Column("error", Text, nullable=False, server_default=""),
)

system_log = Table(
    "system_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Entries of transactions below the oldest that runs are complete; relays read those.
    Column(
        "transaction",
        BigInteger,
        nullable=False,
        server_default=text("pg_current_xact_id()::text::bigint"),
    ),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("part", Text, nullable=False),
    Column("component", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Index("system_log_at", "at"),
    Index("system_log_transaction", "transaction", "id"),
)
