"""Blocks of closed days: what one device sent within a stretch of positions, compressed.

A message lies in an envelope or in a block, never in both: what is deleted here is what was
written there, in one transaction. A partition is rewritten in the order of its positions, so
blocks lie before envelopes, and stretches do not overlap. Each question reads both by one
statement, which sees one state of the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date

from sqlalchemy import delete, func, insert, select

from moorage.kit.db import Tx

from ..model import Block, Envelope, LogName, Position
from ..tables import blocks, positions, raw
from .log import LARGEST_ENVELOPE, days_of

# No stretch has more positions, so a reader knows how far back one may begin.
LARGEST_STRETCH = 200_000
# Compressed bytes and envelopes fetched at a time.
FETCH_BYTES, FETCH_ENVELOPES = 1_000_000, 4_096

_HEADS = """
SELECT d.day, e.first FROM unnest(CAST(:days AS date[])) AS d (day) CROSS JOIN LATERAL (
    SELECT first FROM ledger_raw WHERE day = d.day AND partition = :partition
    ORDER BY first LIMIT 1
) e ORDER BY e.first LIMIT 2
"""


async def next_run(tx: Tx, partition: int, closed: date) -> tuple[Position, int] | None:
    """Find where a partition's envelopes begin, if in a day before `closed`, and which follow.

    Those of the same day that every consumer is past, up to a position, may be rewritten. Around
    midnight envelopes of two days take turns.
    """
    consumed = select(func.min(positions.c.next)).where(
        positions.c.log == int(LogName.RAW), positions.c.partition == partition
    )
    until: int | None = (await tx.execute(consumed)).scalar_one()
    given = {"days": await days_of(tx, raw.name), "partition": partition}
    heads = (await tx.execute(_HEADS, given)).all()
    if until is None or not heads or heads[0].day >= closed:
        return None
    if len(heads) > 1:
        until = min(until, heads[1].first)
    return Position(heads[0].first, heads[0].day), until


async def envelopes_of(tx: Tx, partition: int, at: Position, until: int) -> list[Envelope]:
    """Read some envelopes of one day from a position on, which end by another."""
    size = func.sum(func.octet_length(raw.c.body)).over(order_by=raw.c.first)
    window = (
        select(raw, (size - func.octet_length(raw.c.body)).label("before"))
        .where(
            raw.c.day == at.day,
            raw.c.partition == partition,
            raw.c.first >= at.next,
            raw.c.first + raw.c.count <= until,
        )
        .order_by(raw.c.first)
        .limit(FETCH_ENVELOPES)
        .subquery()
    )
    query = select(window.c.first, window.c.count, window.c.day, window.c.body)
    rows = await tx.execute(query.where(window.c.before < FETCH_BYTES).order_by(window.c.first))
    return [Envelope(**row) for row in rows.mappings()]


async def put_blocks(
    tx: Tx, partition: int, day: date, made: Sequence[Block], stretch: tuple[int, int]
) -> None:
    """Put blocks in the place of a stretch's envelopes."""
    if made:
        rows = [asdict(block) | {"partition": partition} for block in made]
        await tx.execute(insert(blocks), rows)
    await tx.execute(
        delete(raw).where(
            raw.c.day == day, raw.c.partition == partition, raw.c.first.between(*stretch)
        )
    )


async def stored_bytes(tx: Tx, devices: Collection[int]) -> int:
    """Count the bytes of devices' blocks."""
    size = func.coalesce(func.sum(func.octet_length(blocks.c.body)), 0)
    query = select(size).where(blocks.c.device == func.any(list(devices)))
    return int((await tx.execute(query)).scalar_one())


async def is_empty(tx: Tx, day: date) -> bool:
    """Tell whether no envelope of a day is left."""
    return (await tx.execute(select(raw.c.first).where(raw.c.day == day).limit(1))).first() is None


async def lock_blocks(tx: Tx) -> None:
    """Be the only one that makes blocks until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.blocks'))")


# --- Reading --------------------------------------------------------------

_FIND = """
WITH wanted AS (
    SELECT * FROM unnest(
        CAST(:partitions AS smallint[]), CAST(:ns AS bigint[]), CAST(:devices AS int[])
    ) AS w (partition, n, device)
), open AS (
    SELECT DISTINCT e.day, w.partition, e.first
    FROM wanted w, unnest(CAST(:days AS date[])) AS d (day), LATERAL (
        SELECT day, first, count FROM ledger_raw
        WHERE day = d.day AND partition = w.partition
            AND first <= w.n AND first > w.n - :largest
        ORDER BY first DESC LIMIT 1
    ) e WHERE e.first + e.count > w.n
), closed AS (
    SELECT DISTINCT b.device, b.partition, b.first FROM wanted w, LATERAL (
        SELECT device, partition, first, next FROM ledger_blocks
        WHERE device = w.device AND partition = w.partition AND first <= w.n
        ORDER BY first DESC LIMIT 1
    ) b WHERE b.next > w.n
)
SELECT partition, first, count, NULL AS next, day, NULL AS device, body
FROM open JOIN ledger_raw USING (day, partition, first)
UNION ALL
SELECT partition, first, NULL, next, day, device, body
FROM closed JOIN ledger_blocks USING (device, partition, first)
"""


async def find(tx: Tx, wanted: Mapping[tuple[int, int], int]) -> list[tuple[int, Envelope | Block]]:
    """Find what holds messages, given as device by (partition, position), with its partition."""
    rows = await tx.execute(
        _FIND,
        {
            "partitions": [partition for partition, _n in wanted],
            "ns": [n for _partition, n in wanted],
            "devices": list(wanted.values()),
            "days": await days_of(tx, raw.name),
            "largest": LARGEST_ENVELOPE,
        },
    )
    return [(row.partition, _piece(row)) for row in rows]


# The first stretch with something of the devices, whole; without one, envelopes, whose positions
# have no gaps. Day by day, so that the index finds the first of each at once.
_READ = """
WITH stretch AS (
    SELECT min(b.first) AS first FROM unnest(CAST(:devices AS int[])) AS d (device), LATERAL (
        SELECT first FROM ledger_blocks
        WHERE device = d.device AND partition = :partition AND day BETWEEN :since AND :until
            AND first > :position - :stretch AND next > :position
        ORDER BY first LIMIT 1
    ) b
), days AS (
    SELECT day FROM unnest(CAST(:days AS date[])) AS d (day)
    WHERE day BETWEEN :since AND :until AND (SELECT first FROM stretch) IS NULL
), start AS (
    SELECT greatest(:position, min(e.first)) AS n FROM days, LATERAL (
        SELECT first FROM ledger_raw WHERE day = days.day AND partition = :partition
        ORDER BY first LIMIT 1
    ) e
), open AS (
    SELECT e.*, sum(octet_length(body)) OVER (ORDER BY first) - octet_length(body) AS bytes
    FROM days, LATERAL (
        SELECT first, count, day, body FROM ledger_raw
        WHERE day = days.day AND partition = :partition
            AND first > (SELECT n FROM start) - :envelope
            AND first < (SELECT n FROM start) + :limit
            AND first + count > :position
    ) e
)
SELECT first, NULL AS count, next, day, device, body FROM ledger_blocks
WHERE device = ANY(:devices) AND partition = :partition AND first = (SELECT first FROM stretch)
UNION ALL
(SELECT first, count, NULL, day, NULL, body FROM open WHERE bytes < :bytes ORDER BY first)
"""


async def read_of(
    tx: Tx,
    devices: Collection[int],
    partition: int,
    position: Position,
    until: date,
    limit: int,
) -> list[Envelope | Block]:
    """Read on from a position: the next stretch's blocks of the devices, or envelopes."""
    rows = await tx.execute(
        _READ,
        {
            "devices": list(devices),
            "partition": partition,
            "position": position.next,
            "since": position.day,
            "until": until,
            "stretch": LARGEST_STRETCH,
            "envelope": LARGEST_ENVELOPE,
            "days": await days_of(tx, raw.name),
            "bytes": FETCH_BYTES,
            "limit": limit,
        },
    )
    return [_piece(row) for row in rows]


def _piece(row: object) -> Envelope | Block:
    given = row._mapping  # type: ignore[attr-defined]
    if given["next"] is None:
        # SQLAlchemy's rows have a method `count`.
        return Envelope(given["first"], given["count"], given["day"], given["body"])
    return Block(*(given[name] for name in ("device", "first", "next", "day", "body")))


# --- Retention ------------------------------------------------------------


async def forget_blocks(tx: Tx, devices: Collection[int], before: date) -> None:
    """Delete devices' blocks of days before one."""
    given = {"devices": list(devices), "before": before}
    await tx.execute(
        "DELETE FROM ledger_blocks WHERE device = ANY(:devices) AND day < :before", given
    )


async def forget_other_blocks(tx: Tx, devices: Collection[int], before: date) -> None:
    """Delete the blocks of days before one, of all devices but these."""
    given = {"devices": list(devices), "before": before}
    await tx.execute(
        "DELETE FROM ledger_blocks WHERE day < :before AND device <> ALL(:devices)", given
    )
