"""The only SQL of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from psycopg import sql
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..errors import PartitionLost
from ..model import CHANNEL, Envelope, LogName, Position, Standing
from ..tables import derived, keys, partitions, positions, raw, writers

TABLE = {LogName.RAW: raw, LogName.DERIVED: derived}

# No envelope holds more frames, so a reader knows how far back one may begin.
LARGEST_ENVELOPE = 4096

# Envelopes of one read at most. A read that gave fewer frames than that came to the end.
MOST_ENVELOPES = 512

# The statements of the message path are written out: to build them took longer than to run them.
# Of so few days it is quicker to try each than to ask which are kept.
FEW_DAYS = 5
_READ = {
    log: (
        # Day by day, as it is indexed: a backlog of any length is not sorted.
        "SELECT e.first, e.count, e.day, e.body FROM unnest(%(days)s::date[]) d (day), LATERAL ("
        f"SELECT first, count, day, body FROM {table.name} "
        "WHERE day = d.day AND partition = %(partition)s AND first > %(after)s "
        "AND first + count > %(position)s "
        "AND first < %(before)s "
        f"ORDER BY first LIMIT {MOST_ENVELOPES}) e ORDER BY e.first LIMIT {MOST_ENVELOPES}"
    ).encode()
    for log, table in TABLE.items()
}
_FIRST = {
    log: (
        "SELECT min(e.first) FROM unnest(%(days)s::date[]) d (day), LATERAL ("
        f"SELECT first FROM {table.name} WHERE day = d.day AND partition = %(partition)s "
        "AND first >= %(position)s ORDER BY first LIMIT 1) e"
    ).encode()
    for log, table in TABLE.items()
}
_PLACE = {
    log: (
        "WITH place AS ("
        "UPDATE ledger_partitions SET next = next + %(count)s "
        "WHERE log = %(log)s AND partition = %(partition)s RETURNING next - %(count)s AS first"
        f"), kept AS (INSERT INTO {table.name} (day, partition, first, count, at, body) "
        "SELECT %(day)s, %(partition)s, first, %(count)s, %(at)s, %(body)s FROM place "
        "RETURNING first) SELECT first, pg_notify(%(channel)s, '') FROM kept"
    ).encode()
    for log, table in TABLE.items()
}
_MOVE = (
    b"UPDATE ledger_positions SET next = %(next)s, day = %(day)s, at = %(at)s "
    b"WHERE consumer = %(consumer)s AND log = %(log)s AND partition = %(partition)s "
    b"AND next = %(was)s"
)


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
    driver = tx.driver
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
    driver = tx.driver
    await tx.execute("SET LOCAL lock_timeout = '1s'")
    await driver.execute(
        sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(day_table(table, day)))
    )


async def read(
    tx: Tx, log: LogName, partition: int, position: int, day: date, limit: int
) -> list[Envelope]:
    """Read envelopes from a position on; `day` is the oldest day they can lie in."""
    behind = (tx.now.date() - day).days
    if behind < FEW_DAYS:
        days = [day + timedelta(days=n) for n in range(behind + 1)]
    else:
        days = [kept for kept in await days_of(tx, TABLE[log].name) if kept >= day]
    where = {"days": days, "partition": partition, "position": position}
    found = await _read(tx, log, where, limit)
    if found:
        return found
    # What lay there may be gone: positions go on where the next envelope begins.
    first = await (await tx.run(_FIRST[log], where)).fetchone()
    if first is None or first[0] is None:
        return []
    return await _read(tx, log, where | {"position": first[0]}, limit)


async def _read(tx: Tx, log: LogName, where: Mapping[str, Any], limit: int) -> list[Envelope]:
    position = where["position"]
    # Positions have no gaps, so they tell how many entries there are.
    stretch = {"after": position - LARGEST_ENVELOPE, "before": position + limit}
    rows = await tx.run(_READ[log], {**where, **stretch})
    return [Envelope(*row) for row in await rows.fetchall()]


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
    placed = await tx.run(
        _PLACE[log],
        {
            "log": int(log),
            "partition": partition,
            "count": count,
            "day": tx.now.date(),
            "at": tx.now,
            "body": body,
            "channel": CHANNEL[log],
        },
    )
    return int((await placed.fetchall())[0][0])


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
    moved = await tx.run(
        _MOVE,
        {
            "consumer": consumer,
            "log": int(log),
            "partition": partition,
            "was": was.next,
            "next": now.next,
            "day": now.day,
            "at": tx.now,
        },
    )
    if moved.rowcount != 1:
        raise PartitionLost(consumer=consumer, partition=partition)


async def forget(tx: Tx) -> None:
    """Forget keys after 48 hours and writers that have ended."""
    await tx.execute(delete(keys).where(keys.c.at < tx.now - timedelta(hours=48)))
    await tx.execute(delete(writers).where(writers.c.at < tx.now - timedelta(days=7)))


async def standings(tx: Tx) -> list[Standing]:
    """Read how far each log has come, and each consumer of it."""
    rows = await tx.execute(
        select(
            partitions.c.log, partitions.c.partition, partitions.c.next.label("end"),
            positions.c.consumer, positions.c.next,
        ).join_from(
            partitions, positions,
            (positions.c.log == partitions.c.log)
            & (positions.c.partition == partitions.c.partition),
            isouter=True,
        )
    )  # fmt: skip
    ends: dict[tuple[int, int], dict[str, int]] = {}
    kept: dict[tuple[int, int], int] = {}
    for row in rows:
        key = row.log, row.partition
        kept[key] = row.end - 1
        waiting = ends.setdefault(key, {})
        if row.consumer is not None:
            waiting[row.consumer] = row.end - row.next
    return [
        Standing(LogName(log), partition, kept[log, partition], waiting)
        for (log, partition), waiting in sorted(ends.items())
    ]


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
