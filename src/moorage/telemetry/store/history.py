"""Rows of the history: written to the hot tier, read from both tiers by one statement.

One statement sees one state of the database, so rows that are being sealed meanwhile are seen in
one tier or in the other, never in both or in none.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Integer, func, literal, select, text, true

from moorage.kit import pages
from moorage.kit.copying import COPY_HEAD, COPY_TAIL, EPOCH_2000_US, from_us, to_us
from moorage.kit.db import Tx
from moorage.kit.errors import CursorInvalid, FieldInvalid

from ..model import Flag, MessageRow, Quality, Row, Shape, Window
from ..tables import history, shapes
from . import blocks
from .blocks import Kept
from .shapes import NO_SHAPE, unpack_values

# Field count, then length and value of each: at, n, device, shape, partition, flags, values.
_ROW = struct.Struct(">hiqiqiiiiihihi")
# No block spans more days, so a reader knows how far back one may begin.
LONGEST_BLOCK = timedelta(days=31)
# A message's time lies this far before and after its receipt at most.
EARLIEST, LATEST = timedelta(days=31), timedelta(hours=1)


class HistoryRow(msgspec.Struct, array_like=True, gc=False):
    """One row to keep; `values` as `pack_values` made them."""

    at_us: int
    n: int
    device: int
    shape: int
    flags: int
    values: bytes


async def add_history(tx: Tx, partition: int, rows: Sequence[HistoryRow]) -> None:
    """Append rows with one binary COPY; their days must exist."""
    parts = [COPY_HEAD]
    pack = _ROW.pack
    for row in rows:
        values = row.values
        parts.append(
            pack(
                7, 8, row.at_us - EPOCH_2000_US, 8, row.n, 4, row.device, 4, row.shape,
                2, partition, 2, row.flags, len(values),
            )
        )  # fmt: skip
        parts.append(values)
    parts.append(COPY_TAIL)
    driver = tx.driver
    async with (
        driver.cursor() as cursor,
        cursor.copy(
            "COPY telemetry_history (at, n, device, shape, partition, flags, values) "
            "FROM STDIN (FORMAT binary)"
        ) as copy,
    ):
        await copy.write(b"".join(parts))


async def get_shapes(tx: Tx, ids: Iterable[int]) -> dict[int, Shape]:
    """Read shapes by id."""
    rows = await tx.execute(select(shapes).where(shapes.c.id.in_(set(ids))))
    found = {r.id: Shape(r.id, tuple(r.names), r.kinds, tuple(r.units)) for r in rows}
    found[0] = NO_SHAPE
    return found


_READ = """
(SELECT device, at, n, flags, partition, shape, values, NULL::bytea AS body
FROM telemetry_history
WHERE device = ANY(:devices) AND at >= :start AND at < :end AND shape <> 0
    AND (:everything OR shape IN (SELECT id FROM telemetry_shapes WHERE names && :series))
ORDER BY device, at, n LIMIT :most)
UNION ALL
SELECT device, NULL, NULL, NULL, NULL, NULL, NULL, body FROM telemetry_sealed
WHERE device = ANY(:devices) AND day BETWEEN :first AND :last AND until >= :since
"""


async def read(tx: Tx, devices: Sequence[int], window: Window) -> list[tuple[int, Row]]:
    """Read rows of both tiers, by device and time, at most one more than the limit."""
    most = window.limit + 1
    found = (
        await tx.execute(
            _READ,
            {
                "devices": list(devices),
                "start": window.start,
                "end": window.end,
                "everything": not window.series,
                "series": list(window.series),
                "most": most,
                "first": window.start.date() - LONGEST_BLOCK,
                "since": window.start.date(),
                "last": window.end.date(),
            },
        )
    ).all()
    known = await _shapes_of(tx, found)
    wanted = frozenset(window.series)
    only = {s.id for s in known.values() if s.names and (not wanted or wanted & {*s.names})}
    rows: list[tuple[int, Kept]] = []
    for row in found:
        if row.body is None:
            rows.append((row.device, kept_of(row, known)))
            continue
        some = blocks.unpack(
            row.body, known, start_us=to_us(window.start), end_us=to_us(window.end), only=only
        )
        rows += [(row.device, kept) for kept in some]
        if len(rows) > 2 * most:
            # What lies behind so many of one device cannot be among the first ones.
            rows.sort()
            del rows[most:]
    rows.sort()
    return [(device, row_of(kept, known[kept.shape], wanted)) for device, kept in rows[:most]]


# Where the first blocks end that hold enough rows together.
_ENOUGH = """
SELECT day FROM (
    SELECT day, sum(rows) OVER (ORDER BY day) - rows AS before FROM telemetry_sealed
    WHERE device = :device AND day BETWEEN :first AND :last AND until >= :since
) counted WHERE before >= :most ORDER BY day LIMIT 1
"""


async def read_stretch(tx: Tx, device: int, window: Window) -> tuple[list[Row], datetime | None]:
    """Read a device's rows from the start of a window, and where to go on; None at its end.

    Gives about `window.limit` rows and no more, but for those of one instant, which are never torn
    apart. There may be none although more follow.
    """
    given = {
        "device": device,
        "first": window.start.date() - LONGEST_BLOCK,
        "since": window.start.date(),
        "last": window.end.date(),
        "most": window.limit,
    }
    day = (await tx.execute(_ENOUGH, given)).scalar_one_or_none()
    end = window.end if day is None else min(window.end, day_bounds(day)[0])
    most = window.limit
    while True:
        found = await read(tx, [device], replace(window, end=end, limit=most))
        rows = [row for _number, row in found]
        if len(rows) <= most:
            on = end if end < window.end else None
            break
        on = rows[most].at
        if rows[0].at < on:
            rows = [row for row in rows if row.at < on]
            break
        most *= 2
    if len(rows) > window.limit:
        # More share the first instant than were asked for.
        first = rows[0].at
        on = next((row.at for row in rows if row.at > first), on)
        rows = [row for row in rows if row.at == first]
    return rows, on


_SHAPES = """
SELECT DISTINCT shape, NULL::bytea AS body FROM telemetry_history
WHERE device = :device AND at >= :start AND at < :end
UNION ALL
SELECT NULL, body FROM telemetry_sealed
WHERE device = :device AND day BETWEEN :first AND :last AND until >= :since
"""


async def series_of(tx: Tx, device: int, window: Window) -> dict[str, str | None]:
    """List the series of a device's rows in a period, each with its unit if there is but one."""
    given = {
        "device": device,
        "start": window.start,
        "end": window.end,
        "first": window.start.date() - LONGEST_BLOCK,
        "since": window.start.date(),
        "last": window.end.date(),
    }
    ids: set[int] = set()
    # A block at a time: a long period has many.
    async with tx.connection.stream(text(_SHAPES).execution_options(yield_per=50), given) as rows:
        async for row in rows:
            ids |= {row.shape} if row.body is None else blocks.shapes_in(row.body)
    units: dict[str, set[str | None]] = {}
    for shape in (await get_shapes(tx, ids)).values():
        for name, unit in zip(shape.names, shape.units, strict=True):
            if not window.series or name in window.series:
                units.setdefault(name, set()).add(unit)
    return {
        name: some.pop() if len(some := found - {None}) == 1 else None
        for name, found in sorted(units.items())
    }


async def _shapes_of(tx: Tx, found: Iterable[Any]) -> dict[int, Shape]:
    ids: set[int] = set()
    for row in found:
        ids |= {row.shape} if row.body is None else blocks.shapes_in(row.body)
    return await get_shapes(tx, ids)


def kept_of(row: Any, known: Mapping[int, Shape]) -> Kept:
    """Make a row of what the database gave."""
    kinds = known[row.shape].kinds
    # SQLAlchemy's rows have a method `values`.
    values = tuple(unpack_values(kinds, row._mapping["values"]))
    return Kept(to_us(row.at), row.n, row.flags, row.partition, row.shape, values)


def row_of(kept: Kept, shape: Shape, wanted: frozenset[str]) -> Row:
    """Make a row of the series `wanted`, or of all."""
    values = dict(zip(shape.names, kept.values, strict=True))
    units = {n: u for n, u in zip(shape.names, shape.units, strict=True) if u is not None}
    if wanted:
        values = {name: value for name, value in values.items() if name in wanted}
    quality = Quality.CLOCK if kept.flags & Flag.CLOCK else Quality.GOOD
    return Row(from_us(kept.at_us), values, units, quality)


async def first_at(tx: Tx, device: int) -> datetime | None:
    """Tell since when there are rows or summaries of a device, to the day; None without any."""
    found: datetime | None = (
        await tx.execute(
            "SELECT least((SELECT min(at) FROM telemetry_history WHERE device = :device), "
            "(SELECT min(day)::timestamp AT TIME ZONE 'utc' FROM telemetry_sealed "
            "WHERE device = :device), "
            "(SELECT min(day)::timestamp AT TIME ZONE 'utc' FROM telemetry_hours "
            "WHERE device = :device))",
            {"device": device},
        )
    ).scalar_one()
    return found


# --- Messages -------------------------------------------------------------

# As many blocks as surely hold a page; the first may lie before the cursor in part.
_MESSAGES = """
WITH counted AS (
    SELECT day, body, sum({weight}) OVER ordered - {weight}
        - first_value({weight}) OVER ordered AS before
    FROM telemetry_sealed
    WHERE device = :device AND {weight} > 0 AND {from_day} AND {within_days}
    WINDOW ordered AS (ORDER BY day {direction})
)
(SELECT at, n, flags, partition, shape, values, NULL::bytea AS body
FROM telemetry_history
WHERE device = :device AND flags & :mask = :flags AND {from_row} AND {within}
ORDER BY at {direction}, n {direction} LIMIT :most)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, body FROM counted WHERE before < :most
"""
_COUNT = """
SELECT (SELECT count(*) FROM telemetry_history WHERE device = :device AND flags & :mask = :flags)
    + (SELECT coalesce(sum({weight}), 0) FROM telemetry_sealed WHERE device = :device)
"""


async def list_messages(
    tx: Tx,
    device: int,
    asked: pages.PageRequest,
    *,
    problems_only: bool,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pages.Page[MessageRow]:
    """Read a page of a device's messages, newest first or, sorted by `at`, oldest first.

    Raises:
        CursorInvalid.
        FieldInvalid: another order is asked for.
    """
    order = asked.sort or "-at"
    if order not in ("at", "-at"):
        raise FieldInvalid("/sort", "must be at, with - in front for descending.")
    newest_first = order == "-at"
    mask = Flag.FURTHER | (Flag.PROBLEM if problems_only else 0)
    flags = int(Flag.PROBLEM) if problems_only else 0
    weight = "problems" if problems_only else "messages"
    given: dict[str, Any] = {"device": device, "mask": int(mask), "flags": flags}
    after: tuple[int, int] | None = None
    sign = "<" if newest_first else ">"
    from_day = from_row = "true"
    if asked.after is not None:
        at, n = pages.decode_cursor(asked.after, 2)
        if not isinstance(at, datetime) or not isinstance(n, int):
            raise CursorInvalid
        after = to_us(at), n
        given |= {"at": at, "n": n, "day": at.date()}
        from_row = f"(at, n) {sign} (:at, :n)"
        from_day = "day <= :day" if newest_first else "until >= :day"
    within, within_days = ["true"], ["true"]
    if start is not None:
        given |= {"start": start, "first": start.astimezone(UTC).date()}
        within.append("at >= :start")
        within_days.append("until >= :first")
    if end is not None:
        given |= {"end": end, "last": end.astimezone(UTC).date()}
        within.append("at < :end")
        within_days.append("day <= :last")
    direction = "DESC" if newest_first else "ASC"
    query = _MESSAGES.format(
        weight=weight, direction=direction, from_day=from_day, from_row=from_row,
        within=" AND ".join(within), within_days=" AND ".join(within_days),
    )  # fmt: skip
    bounds = -math.inf if start is None else to_us(start), math.inf if end is None else to_us(end)
    found = (await tx.execute(query, {**given, "most": asked.limit + 1})).all()
    known = await _shapes_of(tx, found)
    rows: list[Kept] = []
    for row in found:
        some = [kept_of(row, known)] if row.body is None else blocks.unpack(row.body, known)
        rows += [
            kept for kept in some
            if kept.flags & mask == flags and bounds[0] <= kept.at_us < bounds[1]
            and (after is None or (((kept.at_us, kept.n) < after) is newest_first
                 and (kept.at_us, kept.n) != after))
        ]  # fmt: skip
    rows.sort(reverse=newest_first)
    total = None
    if asked.total:
        total = int((await tx.execute(_COUNT.format(weight=weight), given)).scalar_one())
    page = rows[: asked.limit]
    cursor = None
    if len(rows) > asked.limit:
        cursor = pages.encode_cursor([from_us(page[-1].at_us), page[-1].n])
    return pages.Page([_message(kept, known) for kept in page], cursor, total)


def _message(kept: Kept, known: Mapping[int, Shape]) -> MessageRow:
    values = dict(zip(known[kept.shape].names, kept.values, strict=True))
    problem = bool(kept.flags & Flag.PROBLEM)
    return MessageRow(kept.partition, kept.n, from_us(kept.at_us), problem, values)


_FIND = """
SELECT at, n, flags, partition, shape, values, NULL::bytea AS body
FROM telemetry_history
WHERE device = :device AND at BETWEEN :start AND :end AND n = :n AND partition = :partition
    AND flags & :further = 0
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, body FROM telemetry_sealed
WHERE device = :device AND day BETWEEN :first AND :last AND until >= :since
"""


async def find_message(
    tx: Tx, device: int, partition: int, n: int, received_us: int
) -> MessageRow | None:
    """Find one message of a device by its place and the time of its receipt."""
    start, end = from_us(received_us) - EARLIEST, from_us(received_us) + LATEST
    found = await tx.execute(
        _FIND,
        {
            "device": device,
            "partition": partition,
            "n": n,
            "start": start,
            "end": end,
            "further": int(Flag.FURTHER),
            "first": start.date() - LONGEST_BLOCK,
            "since": start.date(),
            "last": end.date(),
        },
    )
    rows = found.all()
    known = await _shapes_of(tx, rows)
    for row in rows:
        for kept in [kept_of(row, known)] if row.body is None else blocks.unpack(row.body, known):
            if (kept.partition, kept.n) == (partition, n) and not kept.flags & Flag.FURTHER:
                return _message(kept, known)
    return None


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Give the start of a UTC day and of the next."""
    start = from_us((day - date(1970, 1, 1)).days * 86_400_000_000)
    return start, start + timedelta(days=1)


async def last_places(tx: Tx, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Give (partition, n) of each device's newest message that is not sealed yet."""
    wanted = func.unnest(literal(list(numbers), ARRAY(Integer))).column_valued("number")
    last = (
        select(history.c.partition, history.c.n)
        .where(history.c.device == wanted)
        .order_by(history.c.at.desc())
        .limit(1)
        .lateral()
    )
    rows = await tx.execute(select(wanted, last.c.partition, last.c.n).join(last, true()))
    return {row.number: (row.partition, row.n) for row in rows}
