"""Tables of sources, how they fare and what they brought lately."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

sources = Table(
    "sources",
    metadata,
    Column("id", Uuid, primary_key=True),
    # None: it is a broker in front of the whole installation.
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("broker_id", ForeignKey("brokers.id", ondelete="CASCADE"), unique=True),
    Column("front", Text),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("keep_alive_s", Integer, nullable=False),
    Column("authority", Text),
    Column("client_certificate", Text),
    Column("subscriptions", JSONB, nullable=False),
    Column("called_by", Text, nullable=False),
    Column("identifier_kind", Text, nullable=False),
    # Not tied to the organisation: the application may move to another one, the source may not.
    Column("inbox_id", ForeignKey("groups.id", ondelete="SET NULL"), index=True),
    Column("connections", Integer, nullable=False),
    # The names stay readable; the values are one sealed JSON object.
    Column("secret_names", ARRAY(Text), nullable=False),
    Column("sealed_secrets", LargeBinary),
    Column("paused", Boolean, nullable=False),
    *stamps(),
    CheckConstraint("organization_id IS NOT NULL OR front IS NOT NULL", name="organization"),
    CheckConstraint("(broker_id IS NULL) = (front IS NULL)", name="front"),
)
Index(
    "sources_name_key", sources.c.organization_id, func.lower(sources.c.name), unique=True,
    postgresql_nulls_not_distinct=True,
)  # fmt: skip

# The devices that are at a broker in front, so that their commands are sent there.
source_devices = Table(
    "source_devices",
    metadata,
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("device", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
)
Index("source_devices_of_device", source_devices.c.device)

# What the holder of a connection writes: beside the source, so that neither changes the other's
# ETag.
source_states = Table(
    "source_states",
    metadata,
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("connection", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("connected_at", DateTime(timezone=True)),
    Column("failed_at", DateTime(timezone=True)),
    Column("error", Text, nullable=False),
    Column("retry_at", DateTime(timezone=True)),
    Column("last_message_at", DateTime(timezone=True)),
    Column("taken", BigInteger, nullable=False),
    Column("repeated", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("beat_at", DateTime(timezone=True), nullable=False),
    # Of the session that the broker keeps.
    Column("session_number", BigInteger, nullable=False),
    Column("subscribed", JSONB, nullable=False),
    CheckConstraint("state IN ('idle', 'connected', 'failing')", name="state"),
)

source_log = Table(
    "source_log",
    metadata,
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("n", BigInteger, Identity(always=True), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("device_id", Uuid),
    Column("size", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("excerpt", Text, nullable=False),
    PrimaryKeyConstraint("source_id", "n"),
)
