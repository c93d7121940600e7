"""Tables of what was turned away at the doors."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata

# One row for each kind of refusal, counted; `digest` tells them apart.
refusals = Table(
    "ingest_refusals",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("device_id", Uuid),
    Column("organization_id", Uuid),
    Column("application_id", Uuid),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("count", BigInteger, nullable=False),
    Index("ingest_refusals_last", "last_at"),
    Index("ingest_refusals_organization", "organization_id", "last_at"),
)

# Messages that the doors have not taken, ever.
shed = Table(
    "ingest_shed",
    metadata,
    Column("reason", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# How much of a quota each running door was asked for lately, a second: its share follows from it.
demands = Table(
    "ingest_demands",
    metadata,
    Column("door", Uuid, primary_key=True),
    Column("owner", Uuid, primary_key=True),
    Column("quota", Text, primary_key=True),
    Column("rate", Float, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

# What those with a quota of it have stored, as last measured.
usage = Table(
    "ingest_usage",
    metadata,
    Column("owner", Uuid, primary_key=True),
    Column("quota", Text, primary_key=True),
    Column("used", BigInteger, nullable=False),
)

# Who reads the ledger for the programs at all listeners, and how far: one row.
showing = Table(
    "ingest_showing",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    # Empty when nobody does.
    Column("reader", Uuid),
    Column("read_at", DateTime(timezone=True), nullable=False),
    # By partition: the next position, and the day that it lies in.
    Column("places", JSONB, nullable=False),
    postgresql_with={"fillfactor": 50},
)
