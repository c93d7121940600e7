"""The only SQL of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from psycopg import sql
from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..errors import PartitionLost
from ..model import CHANNEL, Envelope, LogName, Position
from ..tables import derived, keys, partitions, positions, raw, writers

TABLE = {LogName.RAW: raw, LogName.DERIVED: derived}

# No envelope holds more frames, so a reader knows how far back one may begin.
LARGEST_ENVELOPE = 4096


async def open_partitions(tx: Tx, count: int) -> int:
    """Make the partitions of a new installation; give how many there are."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.ledger'))")
    found = (
        await tx.execute(
            select(func.count()).select_from(partitions).where(partitions.c.log == LogName.RAW)
        )
    ).scalar_one()
    if found:
        return int(found)
    rows = [{"log": int(log), "partition": p, "next": 1} for log in LogName for p in range(count)]
    await tx.execute(insert(partitions), rows)
    return count


async def make_days(tx: Tx, first: date, last: date) -> None:
    """Make the day partitions of both logs."""
    await make_day_tables(tx, [t.name for t in TABLE.values()], first, last)


async def make_day_tables(tx: Tx, tables: Sequence[str], first: date, last: date) -> None:
    """Make day partitions of partitioned tables; harmless where they exist."""
    driver = await tx.driver()
    await tx.execute("SET LOCAL lock_timeout = '5s'")
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.days'))")
    for table in tables:
        day = first
        while day <= last:
            await driver.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})"
                ).format(
                    sql.Identifier(day_table(table, day)),
                    sql.Identifier(table),
                    sql.Literal(day.isoformat()),
                    sql.Literal((day + timedelta(days=1)).isoformat()),
                )
            )
            day += timedelta(days=1)


def day_table(table: str, day: date) -> str:
    """Name the partition of a day."""
    return f"{table}_{day:%Y%m%d}"


async def days_of(tx: Tx, table: str) -> list[date]:
    """List the days a partitioned table has partitions for."""
    rows = await tx.execute(
        text(
            "SELECT right(c.relname, 8) AS day FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = CAST(:table AS regclass) ORDER BY 1"
        ),
        {"table": table},
    )
    return [date.fromisoformat(row.day) for row in rows]


async def drop_day(tx: Tx, table: str, day: date) -> None:
    """Drop a day's partition; waits only a second, as every append waits behind it."""
    driver = await tx.driver()
    await tx.execute("SET LOCAL lock_timeout = '1s'")
    await driver.execute(
        sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(day_table(table, day)))
    )


async def read(
    tx: Tx, log: LogName, partition: int, position: int, day: date, limit: int
) -> list[Envelope]:
    """Read envelopes from a position on; `day` is the oldest day they can lie in."""
    table = TABLE[log]
    before = func.sum(table.c.count).over(order_by=table.c.first) - table.c.count
    window = (
        select(table.c.first, table.c.count, table.c.day, table.c.body, before.label("before"))
        .where(
            table.c.day >= day,
            table.c.partition == partition,
            table.c.first > position - LARGEST_ENVELOPE,
            table.c.first + table.c.count > position,
        )
        .order_by(table.c.first)
        .limit(512)
        .subquery()
    )
    rows = await tx.execute(
        select(window.c.first, window.c.count, window.c.day, window.c.body)
        .where(window.c.before < limit)
        .order_by(window.c.first)
    )
    return [Envelope(**row) for row in rows.mappings()]


async def read_back(
    tx: Tx, log: LogName, partition: int, before: Position, most: int
) -> list[Envelope]:
    """Read the envelopes that begin before a place, the newest first.

    By day first, as they are indexed; a position follows from its day except around midnight.
    """
    table = TABLE[log]
    c = table.c
    rows = await tx.execute(
        select(c.first, c.count, c.day, c.body)
        .where(
            c.partition == partition,
            c.day <= before.day,
            or_(c.day < before.day, c.first < before.next),
        )
        .order_by(c.day.desc(), c.first.desc())
        .limit(most)
    )
    return [Envelope(**row) for row in rows.mappings()]


async def next_position(tx: Tx, log: LogName, partition: int) -> int:
    """Give the position that the next frame will get."""
    found: int = (
        await tx.execute(
            select(partitions.c.next).where(
                partitions.c.log == int(log), partitions.c.partition == partition
            )
        )
    ).scalar_one()
    return found


async def partitions_of(tx: Tx) -> list[int]:
    """List the partitions."""
    rows = await tx.execute(
        select(partitions.c.partition)
        .where(partitions.c.log == int(LogName.RAW))
        .order_by(partitions.c.partition)
    )
    return [row.partition for row in rows]


async def place(tx: Tx, log: LogName, partition: int, count: int, body: bytes) -> int:
    """Keep an envelope within the caller's transaction; give its first position."""
    first: int = (
        await tx.execute(
            update(partitions)
            .where(partitions.c.log == int(log), partitions.c.partition == partition)
            .values(next=partitions.c.next + count)
            .returning(partitions.c.next - count)
        )
    ).scalar_one()
    await tx.execute(
        insert(TABLE[log]).values(
            day=tx.now.date(), partition=partition, first=first, count=count, at=tx.now, body=body
        )
    )
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": CHANNEL[log]})
    return first


async def position_of(
    tx: Tx, consumer: str, log: LogName, partition: int, *, from_start: bool
) -> Position:
    """Read where a consumer stands; a new one begins at the start or at the end."""
    mine = (
        positions.c.consumer == consumer,
        positions.c.log == int(log),
        positions.c.partition == partition,
    )
    row = (await tx.execute(select(positions.c.next, positions.c.day).where(*mine))).one_or_none()
    if row is None:
        start = 1 if from_start else await next_position(tx, log, partition)
        oldest = date(2000, 1, 1) if from_start else tx.now.date()
        await tx.execute(
            insert(positions)
            .values(
                consumer=consumer,
                log=int(log),
                partition=partition,
                next=start,
                day=oldest,
                at=tx.now,
            )
            .on_conflict_do_nothing()
        )
        row = (await tx.execute(select(positions.c.next, positions.c.day).where(*mine))).one()
    return Position(row.next, row.day)


async def move(
    tx: Tx, consumer: str, log: LogName, partition: int, was: Position, now: Position
) -> None:
    """Move a consumer on, if nobody else did. Raises PartitionLost."""
    moved = await tx.execute(
        update(positions)
        .where(
            positions.c.consumer == consumer,
            positions.c.log == int(log),
            positions.c.partition == partition,
            positions.c.next == was.next,
        )
        .values(next=now.next, day=now.day, at=tx.now)
    )
    if moved.rowcount != 1:
        raise PartitionLost(consumer=consumer, partition=partition)


async def forget(tx: Tx) -> None:
    """Forget keys after 48 hours and writers that have ended."""
    await tx.execute(delete(keys).where(keys.c.at < tx.now - timedelta(hours=48)))
    await tx.execute(delete(writers).where(writers.c.at < tx.now - timedelta(days=7)))


async def slowest(tx: Tx, log: LogName) -> Position | None:
    """Give the oldest position any consumer still needs, by day."""
    row = (
        await tx.execute(
            select(positions.c.next, positions.c.day)
            .where(positions.c.log == int(log))
            .order_by(positions.c.day, positions.c.next)
            .limit(1)
        )
    ).one_or_none()
    return None if row is None else Position(row.next, row.day)


async def trim(tx: Tx, log: LogName, partition: int, before: int) -> None:
    """Delete the envelopes that end before a position."""
    table = TABLE[log]
    await tx.execute(
        delete(table).where(table.c.partition == partition, table.c.first + table.c.count <= before)
    )
