"""Tables of the two logs, their writers, consumers and known keys."""

from __future__ import annotations

from sqlalchemy import (
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
    Uuid,
)

from moorage.kit.tables import metadata

# The next position of each partition; its row lock makes positions gap-free in commit order.
partitions = Table(
    "ledger_partitions",
    metadata,
    Column("log", SmallInteger, primary_key=True, autoincrement=False),
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)

# The last sequence number of each writer: an append repeated after a lost answer is recognised.
writers = Table(
    "ledger_writers",
    metadata,
    Column("writer", Uuid, primary_key=True),
    Column("log", SmallInteger, primary_key=True, autoincrement=False),
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ledger_writers_at", "at"),
)

# Senders' own message ids, remembered for 48 hours.
keys = Table(
    "ledger_keys",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ledger_keys_at", "at"),
)

positions = Table(
    "ledger_positions",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("log", SmallInteger, primary_key=True, autoincrement=False),
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)


def _envelopes(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("day", Date, primary_key=True),
        Column("partition", SmallInteger, primary_key=True, autoincrement=False),
        Column("first", BigInteger, primary_key=True, autoincrement=False),
        Column("count", Integer, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("body", LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (day)",
    )


raw = _envelopes("ledger_raw")
derived = _envelopes("ledger_derived")

# What a device sent within a stretch of positions of one closed day: from `first` to before `next`,
# which are the same for all devices of the stretch. They go with their device.
blocks = Table(
    "ledger_blocks",
    metadata,
    Column("device", ForeignKey("devices.number", ondelete="CASCADE"), primary_key=True),
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ledger_blocks_day", "day"),
)
