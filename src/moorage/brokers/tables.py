"""Tables of brokers in front."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
)

from moorage.kit.tables import metadata, stamps

brokers = Table(
    "brokers",
    metadata,
    Column("id", Uuid, primary_key=True),
    # None: it serves the whole installation.
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("certified", Boolean, nullable=False),
    # Of NATS, which is not asked by HTTP: where it is, whose signature it believes, and the token
    # and the seed of that signature as one sealed JSON object.
    Column("url", Text),
    Column("issuer", Text),
    Column("sealed_secrets", LargeBinary),
    Column("digest", LargeBinary, nullable=False, unique=True),
    # Of the token, with which the platform itself signs in where passwords stand in a file.
    Column("mosquitto_hash", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("previous_digest", LargeBinary),
    Column("previous_until", DateTime(timezone=True)),
    *stamps(),
)
Index(
    "brokers_name_key", brokers.c.organization_id, func.lower(brokers.c.name), unique=True,
    postgresql_nulls_not_distinct=True,
)  # fmt: skip

# Beside the broker, so that asking does not change its ETag.
broker_contacts = Table(
    "broker_contacts",
    metadata,
    Column("broker_id", ForeignKey("brokers.id", ondelete="CASCADE"), primary_key=True),
    Column("asked_at", DateTime(timezone=True), nullable=False),
)
