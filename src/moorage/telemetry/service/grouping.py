"""Readings of a period, grouped by time: from summaries where hours suffice, else from rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from moorage.kit.db import Tx

from .. import store
from ..errors import RangeTooWide
from ..model import Calendar, Quality, Row, Tally, Value, Window

# Rows are read by stretches of two days, which hold a row a second.
STRETCH = timedelta(days=2)
MOST_IN_STRETCH = 200_000
# Older days are sealed, but for what came late.
HOT = timedelta(days=4)
_HOUR = timedelta(hours=1)

_Found = dict[int, dict[str, list[Tally]]]


class Steps:
    """Where the groups of a period begin, in microseconds."""

    def __init__(self, window: Window, zone: ZoneInfo, start: datetime, end: datetime) -> None:
        self._step_us = (window.step_s or 1) * 1_000_000
        self._starts: list[int] = []
        if window.every is not None:
            self._starts = [store.to_us(at) for at in calendar(window.every, zone, start, end)]
        step = self._starts or [self._step_us]
        self.by_hours = all(us % store.HOUR_US == 0 for us in step)

    def start_of(self, at_us: int) -> int:
        """Give the start of the group of an instant: of its calendar, or counted from 1970."""
        if self._starts:
            return self._starts[bisect_right(self._starts, at_us) - 1]
        return at_us // self._step_us * self._step_us


def calendar(every: Calendar, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Give the starts of days, weeks or months in a zone, from the one that holds `start`."""
    day = start.astimezone(zone).date()
    if every is Calendar.WEEK:
        day -= timedelta(days=day.weekday())
    if every is Calendar.MONTH:
        day = day.replace(day=1)
    while (at := datetime.combine(day, time(), zone).astimezone(UTC)) < end:
        yield at
        if every is Calendar.MONTH:
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if every is Calendar.WEEK else 1)


async def grouped(tx: Tx, number: int, window: Window, zone: ZoneInfo) -> list[Row]:
    """Group a device's readings of a period.

    Raises:
        RangeTooWide: more groups than the limit, or too many rows in a stretch.
    """
    first_at = await store.first_at(tx, number)
    if first_at is None:
        return []
    start = max(window.start, first_at)
    end = min(window.end, tx.now + timedelta(days=1))
    if start >= end:
        return []
    steps = Steps(window, zone, start, end)
    found: _Found = {}
    if not steps.by_hours:
        await _add_rows(tx, number, replace(window, start=start, end=end), steps, found)
        return _rows(found, window)
    # Hours that lie in the period in part are read by rows.
    first, last = _hour(start + _HOUR - timedelta(microseconds=1)), _hour(end)
    if first >= last:
        await _add_rows(tx, number, replace(window, start=start, end=end), steps, found)
        return _rows(found, window)
    await _add_rows(tx, number, replace(window, start=start, end=first), steps, found)
    old = min(max(first, _hour(tx.now - HOT)), last)
    for since, until in ((first, old), *_stretches(old, last)):
        await _add_hours(tx, number, replace(window, start=since, end=until), steps, found)
    await _add_rows(tx, number, replace(window, start=last, end=end), steps, found)
    return _rows(found, window)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _stretches(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        until = min(end, start + STRETCH)
        yield start, until
        start = until


async def _add_rows(tx: Tx, number: int, window: Window, steps: Steps, found: _Found) -> None:
    for start, end in _stretches(window.start, window.end):
        stretch = replace(window, start=start, end=end, limit=MOST_IN_STRETCH)
        rows = [row for _number, row in await store.read(tx, [number], stretch)]
        if len(rows) > MOST_IN_STRETCH:
            raise RangeTooWide(limit=MOST_IN_STRETCH)
        _add(found, window, steps, _tallied(rows, steps))


async def _add_hours(tx: Tx, number: int, window: Window, steps: Steps, found: _Found) -> None:
    if window.start >= window.end:
        return
    stretch = replace(window, limit=MOST_IN_STRETCH)
    summed, rows = await store.read_hours(tx, number, stretch)
    if len(rows) <= MOST_IN_STRETCH:
        _add(found, window, steps, (*summed, *_tallied(rows, steps)))
        return
    if window.end - window.start <= STRETCH:
        raise RangeTooWide(limit=MOST_IN_STRETCH)
    # Sealing lies far behind: read what is hot in halves.
    middle = _hour(window.start + (window.end - window.start) / 2)
    for part in (replace(window, end=middle), replace(window, start=middle)):
        await _add_hours(tx, number, part, steps, found)


def _tallied(rows: Iterable[Row], steps: Steps) -> Iterator[tuple[str, int, Tally]]:
    """Sum rows up by series and group, or by hour as summaries are."""
    values: dict[tuple[str, str, int], list[tuple[int, Value, bool]]] = {}
    units: dict[str, str] = {}
    for row in rows:
        at_us = store.to_us(row.at)
        start = at_us // store.HOUR_US * store.HOUR_US if steps.by_hours else steps.start_of(at_us)
        clock = row.quality is Quality.CLOCK
        units.update(row.units)
        for name, value in row.values.items():
            key = name, store.kind_of(value), start
            values.setdefault(key, []).append((at_us, value, clock))
    for (name, kind, start), some in values.items():
        yield name, start, store.tally(kind, units.get(name), some)


def _add(
    found: _Found, window: Window, steps: Steps, tallies: Iterable[tuple[str, int, Tally]]
) -> None:
    for name, at_us, tally in tallies:
        found.setdefault(steps.start_of(at_us), {}).setdefault(name, []).append(tally)
    if len(found) > window.limit:
        raise RangeTooWide(limit=window.limit)


def _rows(found: _Found, window: Window) -> list[Row]:
    return [
        Row(
            store.from_us(start),
            {name: _summary(tallies, window.aggregate) for name, tallies in group.items()},
            {name: unit for name, tallies in group.items() if (unit := tallies[-1].unit)},
            Quality.CLOCK
            if any(tally.clock for tallies in group.values() for tally in tallies)
            else Quality.GOOD,
        )
        for start, group in sorted(found.items())
    ]


def _summary(tallies: Sequence[Tally], how: str) -> Value:
    """Give one value; texts and booleans have but a count, a first and a last one."""
    numbers = [tally for tally in tallies if tally.kind == "f"]
    if how == "count":
        return float(sum(tally.count for tally in tallies))
    if how == "first":
        return min(tallies, key=lambda tally: tally.first_us).first
    if not numbers or how == "last":
        return max(reversed(tallies), key=lambda tally: tally.last_us).last
    if how == "min":
        return min(tally.low for tally in numbers)
    if how == "max":
        return max(tally.high for tally in numbers)
    total = store.sum_of([tally.total for tally in numbers])
    return total if how == "sum" else total / sum(tally.count for tally in numbers)
