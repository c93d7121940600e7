"""Summaries by the hour: what long periods are read from, and what is left when readings go.

They cover sealed rows, each once: rows are added in the transaction that seals them, and counted
anew where a re-decode takes some out of a block. Hot rows are not in them yet.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import zstandard
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.copying import to_us
from moorage.kit.db import Tx

from ..model import Flag, Row, Shape, Tally, Value, Window
from ..tables import hours
from .blocks import Kept
from .history import get_shapes, kept_of, row_of

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

# By series and hour; of one kind each, since values of two kinds do not add up.
Tallies = dict[tuple[str, str], dict[int, Tally]]
_Values = list[tuple[int, Value, bool]]


class _Series(msgspec.Struct, array_like=True, gc=False):
    """The hours of one series and kind in a day, a list a column; instants are from the hour."""

    name: str
    kind: str
    unit: str | None
    hours: list[int]
    count: list[int]
    clock: list[int]
    first_us: list[int]
    last_us: list[int]
    first: list[Value]
    last: list[Value]
    low: list[float]
    high: list[float]
    total: list[float]


# Smaller than the ways of `columns` for so few values, and much faster.
_compress = zstandard.ZstdCompressor(level=9).compress
_decompress = zstandard.ZstdDecompressor().decompress
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Series]).decode


def tally(kind: str, unit: str | None, values: _Values) -> Tally:
    """Sum up values of one series, in order: instant in microseconds, value, if by our clock."""
    first_us, first, _clock = values[0]
    last_us, last, _clock = values[-1]
    low = high = total = 0.0
    if kind == "f":
        numbers = [float(value) for _at, value, _clock in values]
        low, high, total = min(numbers), max(numbers), sum_of(numbers)
    clock = sum(by_clock for _at, _value, by_clock in values)
    return Tally(
        kind, unit, len(values), clock, first_us, last_us, first, last, low, high, total
    )  # fmt: skip


def sum_of(numbers: Sequence[float]) -> float:
    """Sum up finite numbers exactly; a sum beyond float64 is the largest there is."""
    try:
        total = math.fsum(numbers)
    except OverflowError:
        most = Fraction(sys.float_info.max)
        total = float(max(-most, min(sum(map(Fraction, numbers)), most)))
    return total


def merged(one: Tally, other: Tally) -> Tally:
    """Sum up two tallies of one series; of values of one instant, the other's come later."""
    first = other if other.first_us < one.first_us else one
    last = one if one.last_us > other.last_us else other
    return Tally(
        one.kind, last.unit, one.count + other.count, one.clock + other.clock,
        first.first_us, last.last_us, first.first, last.last,
        min(one.low, other.low), max(one.high, other.high), sum_of((one.total, other.total)),
    )  # fmt: skip


def tallies(rows: Iterable[Kept], shapes: Mapping[int, Shape]) -> Tallies:
    """Sum rows up by series and hour."""
    values: dict[tuple[str, str], dict[int, _Values]] = {}
    units: dict[tuple[str, str], str | None] = {}
    for row in sorted(rows):
        shape = shapes[row.shape]
        clock = bool(row.flags & Flag.CLOCK)
        hour = row.at_us // HOUR_US
        for name, kind, unit, value in zip(
            shape.names, shape.kinds, shape.units, row.values, strict=True
        ):
            units[name, kind] = unit
            values.setdefault((name, kind), {}).setdefault(hour, []).append(
                (row.at_us, value, clock)
            )
    return {
        key: {hour: tally(key[1], units[key], some) for hour, some in by_hour.items()}
        for key, by_hour in values.items()
    }


def _pack(found: Tallies) -> bytes:
    return _compress(_encode([_series(key, by_hour) for key, by_hour in sorted(found.items())]))


def _series(key: tuple[str, str], by_hour: Mapping[int, Tally]) -> _Series:
    at = sorted(by_hour)
    some = [by_hour[hour] for hour in at]
    return _Series(
        *key, some[-1].unit, at,
        [t.count for t in some],
        [t.clock for t in some],
        [t.first_us - hour * HOUR_US for hour, t in zip(at, some, strict=True)],
        [t.last_us - hour * HOUR_US for hour, t in zip(at, some, strict=True)],
        [t.first for t in some],
        [t.last for t in some],
        [t.low for t in some],
        [t.high for t in some],
        [t.total for t in some],
    )  # fmt: skip


def _unpack(body: bytes, names: frozenset[str] = frozenset()) -> Tallies:
    """Give the tallies of these series, or of all."""
    return {
        (series.name, series.kind): _by_hour(series)
        for series in _decode(_decompress(body))
        if not names or series.name in names
    }


def _by_hour(series: _Series) -> dict[int, Tally]:
    kind, unit = series.kind, series.unit
    columns = zip(
        series.hours, series.count, series.clock, series.first_us, series.last_us,
        series.first, series.last, series.low, series.high, series.total,
        strict=True,
    )  # fmt: skip
    return {
        hour: Tally(
            kind, unit, count, clock, hour * HOUR_US + first_us, hour * HOUR_US + last_us,
            first, last, low, high, total,
        )
        for hour, count, clock, first_us, last_us, first, last, low, high, total in columns
    }  # fmt: skip


# --- Writing --------------------------------------------------------------


async def add_hours(tx: Tx, day: date, found: Mapping[int, Tallies]) -> None:
    """Add what was sealed of a day, by device."""
    query = select(hours).where(hours.c.device.in_(list(found)), hours.c.day == day)
    for row in (await tx.execute(query)).all():
        new = found[row.device]
        for key, by_hour in _unpack(row.body).items():
            mine = new.setdefault(key, {})
            for hour, kept in by_hour.items():
                mine[hour] = merged(kept, mine[hour]) if hour in mine else kept
    await _put(tx, [(device, day, some) for device, some in found.items() if some])


async def count_anew(
    tx: Tx, device: int, days: Iterable[date], rows: Sequence[Kept], shapes: Mapping[int, Shape]
) -> None:
    """Replace a device's summaries of days by those of the rows that are left."""
    by_day: dict[int, list[Kept]] = {}
    for row in rows:
        by_day.setdefault(row.at_us // DAY_US, []).append(row)
    given = set(days)
    await tx.execute(delete(hours).where(hours.c.device == device, hours.c.day.in_(given)))
    left = [(device, day, tallies(by_day.get(_number(day), ()), shapes)) for day in given]
    await _put(tx, [one for one in left if one[2]])


async def _put(tx: Tx, found: Sequence[tuple[int, date, Tallies]]) -> None:
    if not found:
        return
    query = insert(hours)
    statement = query.on_conflict_do_update(
        constraint=hours.primary_key, set_={"body": query.excluded.body}
    )
    rows = [{"device": n, "day": day, "body": _pack(some)} for n, day, some in found]
    await tx.execute(statement, rows)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


# --- Reading --------------------------------------------------------------

_READ = """
(SELECT at, n, flags, partition, shape, values, NULL::bytea AS body
FROM telemetry_history
WHERE device = :device AND at >= :start AND at < :end AND shape <> 0
    AND (:everything OR shape IN (SELECT id FROM telemetry_shapes WHERE names && :series))
ORDER BY at, n LIMIT :most)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, body FROM telemetry_hours
WHERE device = :device AND day BETWEEN :first AND :last
"""


async def read_hours(
    tx: Tx, device: int, window: Window
) -> tuple[list[tuple[str, int, Tally]], list[Row]]:
    """Read the summaries of whole hours, by series and hour's start, and rows not in them yet.

    Gives at most one more row than the limit.
    """
    found = await tx.execute(
        _READ,
        {
            "device": device,
            "start": window.start,
            "end": window.end,
            "everything": not window.series,
            "series": list(window.series),
            "most": window.limit + 1,
            "first": window.start.date(),
            "last": window.end.date(),
        },
    )
    wanted = frozenset(window.series)
    first, end = to_us(window.start) // HOUR_US, to_us(window.end) // HOUR_US
    summed: list[tuple[str, int, Tally]] = []
    hot: list[Any] = []
    for row in found:
        if row.body is None:
            hot.append(row)
            continue
        for (name, _kind), by_hour in _unpack(row.body, wanted).items():
            summed += [(name, h * HOUR_US, t) for h, t in by_hour.items() if first <= h < end]
    known = await get_shapes(tx, {row.shape for row in hot})
    rows = sorted(kept_of(row, known) for row in hot)
    return summed, [row_of(kept, known[kept.shape], wanted) for kept in rows]
