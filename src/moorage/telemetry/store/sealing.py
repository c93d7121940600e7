"""From the hot tier to the sealed one: closed days' rows become columns, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert

from moorage.kit.db import Tx

from ..model import Flag
from ..tables import history, sealed
from . import blocks
from .blocks import Kept
from .history import LONGEST_BLOCK, day_bounds, get_shapes, kept_of
from .hours import add_hours, tallies

# Small days of a device share a block up to so many rows: its own bytes weigh less then.
LARGEST_SHARED = 2_000
# Readings lie 30 days back at most when they arrive, so nothing is written to an older day.
WRITTEN_DAYS = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Block:
    """A device's rows from a day until another, both within."""

    device: int
    day: date
    until: date
    rows: int
    body: bytes


async def next_devices(tx: Tx, day: date, most_devices: int, most_rows: int) -> list[int]:
    """Choose devices with hot rows of a day: the first ones, about `most_rows` together."""
    start, end = day_bounds(day)
    found = await tx.execute(
        "SELECT device, count(*) AS rows FROM telemetry_history WHERE at >= :start AND at < :end "
        "GROUP BY device ORDER BY device LIMIT :most",
        {"start": start, "end": end, "most": most_devices},
    )
    chosen: list[int] = []
    total = 0
    for row in found:
        total += row.rows
        if chosen and total > most_rows:
            break
        chosen.append(row.device)
    return chosen


async def seal(tx: Tx, day: date, devices: Sequence[int]) -> int:
    """Move the hot rows of a day into sealed blocks; give how many.

    What is read is what is deleted, by one statement, so a row that arrives meanwhile stays.
    """
    await lock_sealed(tx)
    start, end = day_bounds(day)
    taken = (
        await tx.execute(
            delete(history)
            .where(history.c.device.in_(devices), history.c.at >= start, history.c.at < end)
            .returning(history)
        )
    ).all()
    known = await get_shapes(tx, {row.shape for row in taken})
    by_device: dict[int, list[Kept]] = {}
    for row in taken:
        by_device.setdefault(row.device, []).append(kept_of(row, known))
    await add_hours(tx, day, {n: tallies(rows, known) for n, rows in by_device.items()})
    before = await _newest_blocks(tx, list(by_device), day)
    known |= await get_shapes(tx, {s for b in before.values() for s in blocks.shapes_in(b.body)})
    made = []
    for device, rows in by_device.items():
        block = before.get(device)
        first = until = day
        if block is not None and _joins(block, day, len(rows)):
            rows += blocks.unpack(block.body, known)
            first, until = block.day, max(block.until, day)
        made.append((Block(device, first, until, len(rows), blocks.pack(rows, known)), rows))
    await put_blocks(tx, made)
    return len(taken)


def _joins(block: Block, day: date, rows: int) -> bool:
    """Tell whether a day's rows go into a block: late ones always, new ones while it is small."""
    if block.until >= day:
        return True
    return block.rows + rows <= LARGEST_SHARED and day - block.day < LONGEST_BLOCK


def _values(block: Block, rows: Iterable[Kept]) -> dict[str, object]:
    heads = [row.flags for row in rows if not row.flags & Flag.FURTHER]
    return {
        "device": block.device,
        "day": block.day,
        "until": block.until,
        "rows": block.rows,
        "messages": len(heads),
        "problems": sum(1 for flags in heads if flags & Flag.PROBLEM),
        "body": block.body,
    }


async def _newest_blocks(tx: Tx, devices: Sequence[int], day: date) -> dict[int, Block]:
    """Read each device's newest block that begins by a day."""
    rows = await tx.execute(
        select(sealed.c.device, sealed.c.day, sealed.c.until, sealed.c.rows, sealed.c.body)
        .ext(distinct_on(sealed.c.device))
        .where(sealed.c.device.in_(devices), sealed.c.day <= day)
        .order_by(sealed.c.device, sealed.c.day.desc())
    )
    return {row.device: Block(**row._mapping) for row in rows}


async def lock_sealed(tx: Tx) -> None:
    """Be the only one that writes sealed blocks until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.sealed'))")


async def put_blocks(tx: Tx, made: Sequence[tuple[Block, Sequence[Kept]]]) -> None:
    """Insert or replace blocks, given with their rows."""
    if not made:
        return
    query = insert(sealed)
    changed = {c: query.excluded[c] for c in ("until", "rows", "messages", "problems", "body")}
    statement = query.on_conflict_do_update(constraint=sealed.primary_key, set_=changed)
    await tx.execute(statement, [_values(block, rows) for block, rows in made])


# --- Days -----------------------------------------------------------------


async def days_with_rows(tx: Tx, days: Sequence[date]) -> list[date]:
    """Tell which of these days have hot rows."""
    found = []
    for day in days:
        start, end = day_bounds(day)
        query = select(history.c.n).where(history.c.at >= start, history.c.at < end).limit(1)
        if (await tx.execute(query)).one_or_none() is not None:
            found.append(day)
    return found


async def empty_day(tx: Tx, day: date, table: str) -> None:
    """Give back the space of a day's partition if no row is left; drop it once none can come.

    Waits only a second for those who read it.
    """
    size = text("SELECT pg_relation_size(CAST(:table AS regclass))")
    has_room = bool((await tx.execute(size, {"table": table})).scalar_one())
    if not has_room and day >= tx.now.date() - WRITTEN_DAYS:
        return
    await tx.execute("SET LOCAL lock_timeout = '1s'")
    # The name is made of the parent's and a date; no caller has a say in it.
    await tx.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
    if await days_with_rows(tx, [day]):
        return
    if day < tx.now.date() - WRITTEN_DAYS:
        await tx.execute(f'DROP TABLE "{table}"')
    else:
        await tx.execute(f'TRUNCATE "{table}"')
