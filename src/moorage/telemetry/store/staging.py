"""A re-decode's rows: staged, compared, and put in place in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, insert, select

from moorage.kit.copying import from_us
from moorage.kit.db import Tx

from ..model import Shape
from ..tables import sealed, staged
from . import blocks
from .blocks import Kept
from .history import EARLIEST, LATEST, LONGEST_BLOCK, HistoryRow, get_shapes, kept_of
from .hours import count_anew
from .renewal import STALE_CHANNEL
from .sealing import Block, lock_sealed, put_blocks


async def stage(tx: Tx, generation: UUID, partition: int, rows: Sequence[HistoryRow]) -> None:
    """Keep rows of a generation."""
    values = [
        {
            "generation": generation,
            "at": from_us(row.at_us),
            "n": row.n,
            "device": row.device,
            "shape": row.shape,
            "partition": partition,
            "flags": row.flags,
            "values": row.values,
        }
        for row in rows
    ]
    if values:
        await tx.execute(insert(staged), values)


_ROWS = """
SELECT device, at, n, flags, partition, shape, values, NULL::bytea AS body
FROM telemetry_history
WHERE device = ANY(:devices) AND at BETWEEN :start AND :end AND n = ANY(:ns)
    AND partition = :partition
UNION ALL
SELECT device, NULL, NULL, NULL, NULL, NULL, NULL, body FROM telemetry_sealed
WHERE device = ANY(:devices) AND day BETWEEN :first AND :last AND until >= :since
"""


_STALE = """
INSERT INTO telemetry_stale (device, partition, names)
SELECT s.device, s.partition, coalesce(array_agg(DISTINCT n.name) FILTER (WHERE n.name <> ''), '{}')
FROM (
    SELECT DISTINCT device, partition, shape FROM telemetry_staged WHERE generation = :generation
) s LEFT JOIN telemetry_shapes h ON h.id = s.shape LEFT JOIN unnest(h.names) AS n (name) ON true
GROUP BY s.device, s.partition ORDER BY s.device
ON CONFLICT (device) DO UPDATE SET names = telemetry_stale.names || EXCLUDED.names
"""


async def rows_of(
    tx: Tx,
    partition: int,
    places: Collection[tuple[int, int]],
    received: tuple[datetime, datetime],
) -> tuple[dict[tuple[int, int], list[Kept]], dict[int, Shape]]:
    """Read what is kept of messages, by device and position, and the shapes of it.

    `received` are the first and the last time of their receipt.
    """
    start, end = received[0] - EARLIEST, received[1] + LATEST
    given = {
        "devices": sorted({device for device, _n in places}),
        "ns": sorted({n for _device, n in places}),
        "partition": partition,
        "start": start,
        "end": end,
        "first": start.date() - LONGEST_BLOCK,
        "since": start.date(),
        "last": end.date(),
    }
    rows = (await tx.execute(_ROWS, given)).all()
    ids: set[int] = set()
    for row in rows:
        ids |= {row.shape} if row.body is None else blocks.shapes_in(row.body)
    known = await get_shapes(tx, ids)
    found: dict[tuple[int, int], list[Kept]] = {}
    for row in rows:
        some = [kept_of(row, known)] if row.body is None else blocks.unpack(row.body, known)
        for kept in some:
            if kept.partition == partition and (row.device, kept.n) in places:
                found.setdefault((row.device, kept.n), []).append(kept)
    return found, known


async def staged_days(tx: Tx, generation: UUID) -> list[date]:
    """List the UTC days that staged rows lie in."""
    rows = await tx.execute(
        "SELECT DISTINCT (at AT TIME ZONE 'utc')::date AS day FROM telemetry_staged "
        "WHERE generation = :generation ORDER BY 1",
        {"generation": generation},
    )
    return [row.day for row in rows]


async def put_in_place(tx: Tx, generation: UUID, received: tuple[datetime, datetime]) -> None:
    """Replace what is kept of the staged messages; the days of the new rows must exist."""
    await lock_sealed(tx)
    start, end = received[0] - EARLIEST, received[1] + LATEST
    await tx.execute(
        "DELETE FROM telemetry_history h USING "
        "(SELECT DISTINCT device, partition, n FROM telemetry_staged "
        "WHERE generation = :generation) s "
        "WHERE h.device = s.device AND h.partition = s.partition AND h.n = s.n "
        "AND h.at BETWEEN :start AND :end",
        {"generation": generation, "start": start, "end": end},
    )
    await _take_out_of_blocks(tx, generation, start.date(), end.date())
    await tx.execute(
        "INSERT INTO telemetry_history (at, n, device, shape, partition, flags, values) "
        "SELECT at, n, device, shape, partition, flags, values FROM telemetry_staged "
        "WHERE generation = :generation",
        {"generation": generation},
    )
    await tx.execute(_STALE, {"generation": generation})
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": STALE_CHANNEL})
    await discard(tx, generation)


async def _take_out_of_blocks(tx: Tx, generation: UUID, first: date, last: date) -> None:
    """Rewrite the sealed blocks that hold staged messages, without these."""
    mine = staged.c.generation == generation
    numbers = await tx.execute(select(staged.c.device).where(mine).distinct())
    for number in [row.device for row in numbers]:
        query = select(staged.c.partition, staged.c.n).where(mine, staged.c.device == number)
        places = {(row.partition, row.n) for row in await tx.execute(query.distinct())}
        overlapping = select(sealed).where(
            sealed.c.device == number,
            sealed.c.day.between(first - LONGEST_BLOCK, last),
            sealed.c.until >= first,
        )
        for row in (await tx.execute(overlapping)).all():
            known = await get_shapes(tx, blocks.shapes_in(row.body))
            rows = blocks.unpack(row.body, known)
            left = [kept for kept in rows if (kept.partition, kept.n) not in places]
            if len(left) == len(rows):
                continue
            days = {
                from_us(kept.at_us).date() for kept in rows if (kept.partition, kept.n) in places
            }
            await count_anew(tx, number, days, left, known)
            if left:
                body = blocks.pack(left, known)
                block = Block(number, row.day, row.until, len(left), body)
                await put_blocks(tx, [(block, left)])
            else:
                await tx.execute(
                    delete(sealed).where(sealed.c.device == number, sealed.c.day == row.day)
                )


async def discard(tx: Tx, generation: UUID) -> None:
    """Forget staged rows."""
    await tx.execute(delete(staged).where(staged.c.generation == generation))
