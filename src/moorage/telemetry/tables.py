"""Tables of readings: hot rows by day, their shapes, and the latest state of each device."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata

# Columns stand in the order that wastes no bytes on alignment.
history = Table(
    "telemetry_history",
    metadata,
    Column("at", DateTime(timezone=True), nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("device", Integer, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),
    Column("values", LargeBinary, nullable=False),
    Index("telemetry_history_device_at", "device", "at"),
    postgresql_partition_by="RANGE (at)",
)

# A device's rows of closed days, in columns; blocks of a device share no day. `messages` and
# `problems` count its messages and those with a problem.
sealed = Table(
    "telemetry_sealed",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("until", Date, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("problems", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# What the sealed rows of a day come to, by series and UTC hour; kept when the rows go.
hours = Table(
    "telemetry_hours",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# A re-decode's rows until they are put in place of those of the same messages.
staged = Table(
    "telemetry_staged",
    metadata,
    Column("generation", ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("device", Integer, nullable=False),
    Column("shape", Integer, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),
    Column("values", LargeBinary, nullable=False),
    Index("telemetry_staged_generation", "generation", "device"),
)

# Devices whose latest state must be made anew, and series they have got. The worker that holds the
# partition does it, as it is the only one that writes these states.
stale = Table(
    "telemetry_stale",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("partition", SmallInteger, nullable=False),
    Column("names", ARRAY(Text), nullable=False),
)

shapes = Table(
    "telemetry_shapes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("names", ARRAY(Text), nullable=False),
    Column("kinds", Text, nullable=False),
    Column("units", ARRAY(Text), nullable=False),
)

# `state` is {series: [value, at in microseconds, unit]}. Room on each page keeps updates in place.
latest = Table(
    "telemetry_latest",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("message_count", BigInteger, nullable=False),
    Column("dropped_series", Integer, nullable=False),
    Column("state", JSONB, nullable=False),
    postgresql_with={"fillfactor": "50"},
)
