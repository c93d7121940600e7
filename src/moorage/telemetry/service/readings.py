"""The rules of readings: kept in time order, found again by time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from struct import Struct
from uuid import UUID
from zoneinfo import ZoneInfo

from moorage import devices, ledger, organizations
from moorage.kit import pages
from moorage.kit.caller import SYSTEM, SYSTEM_ID, Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid

from .. import store
from ..errors import RangeReversed, RangeTooWide
from ..model import Derived, Flag, MessageRow, Point, Row, State, Window
from .grouping import grouped

MAX_SERIES = 200
MOST_SHAPES = 20_000
MOST_RENEWED = 20
TABLE = "telemetry_history"
_CLOCK, _FURTHER = int(Flag.CLOCK), int(Flag.FURTHER)
Messages = Sequence[tuple[MessageRow, ledger.RawMessage | None]]
_DAY_US = 86_400_000_000
# The platform itself, which needs the zone of an organisation whose device the caller may see.
PLATFORM = Caller(CallerKind.SYSTEM, SYSTEM_ID, SYSTEM.label, (Grant(frozenset()),))


class Keeper:
    """What one worker remembers between batches: shapes, days, latest states.

    Valid only while the worker holds its partition, since it is then the only one that writes
    these devices' states. After an error it must be thrown away.
    """

    def __init__(self, partition: int, *, remembered: int = 50_000) -> None:
        self.partition = partition
        self._remembered = remembered
        self._shapes: dict[tuple[object, ...], tuple[int, str, Struct | None]] = {}
        self._days: set[int] = set()
        self._latest: OrderedDict[int, store.LatestRow] = OrderedDict()

    async def append(self, tx: Tx, batch: Sequence[Derived]) -> None:
        """Keep the readings of a batch, and the state that follows from them."""
        await self._load(tx, batch)
        rows: list[store.HistoryRow] = []
        touched: dict[int, store.LatestRow] = {}
        latest = self._latest
        for message in batch:
            device = message.device
            state = latest.get(device)
            if state is None:
                state = latest[device] = store.LatestRow(device, message.received_us, 0, 0, {})
            touched[device] = state
            state.message_count += 1
            state.received_us = max(state.received_us, message.received_us)
            good = not message.flags & _CLOCK
            for point in message.points:
                if _remember(state, point, good=good):
                    # More series than a device may have: the rest is counted, not kept.
                    known = state.state
                    point.values = {k: v for k, v in point.values.items() if k in known}
            rows += self._rows(message) or await self.rows_of(tx, message)
        await self._make_days(tx, rows)
        await store.add_history(tx, self.partition, rows)
        await store.put_latest(tx, list(touched.values()))
        while len(self._latest) > self._remembered:
            self._latest.popitem(last=False)

    async def renew(self, tx: Tx) -> bool:
        """Make latest states anew where a re-decode took effect; tell whether more of them wait."""
        stale = await store.take_stale(tx, self.partition, MOST_RENEWED)
        states = await store.read_latest(tx, list(stale)) if stale else {}
        for device, state in states.items():
            names = sorted({*state.state, *stale[device]})[:MAX_SERIES]
            state.state = (await store.newest_values(tx, {device: names}))[device]
            self._latest[device] = state
        if states:
            await store.put_latest(tx, list(states.values()))
        return len(stale) == MOST_RENEWED

    async def rows_of(self, tx: Tx, message: Derived) -> list[store.HistoryRow]:
        """Make a message's rows: one an instant, or one without values."""
        while (rows := self._rows(message)) is None:
            for point in message.points:
                await self._learn(tx, point)
        return rows

    def _rows(self, message: Derived) -> list[store.HistoryRow] | None:
        """Make a message's rows; None if one of its shapes is not known yet."""
        flags = message.flags
        if not message.points:
            return [store.HistoryRow(message.at_us, message.n, message.device, 0, flags, b"")]
        rows = []
        for point in message.points:
            values = point.values.values()
            known = self._shapes.get(_key(point))
            if known is None:
                return None
            shape, letters, packer = known
            packed = store.pack_values(letters, values) if packer is None else packer.pack(*values)
            rows.append(
                store.HistoryRow(point.at_us, message.n, message.device, shape, flags, packed)
            )
            flags |= _FURTHER
        return rows

    async def _load(self, tx: Tx, batch: Sequence[Derived]) -> None:
        wanted = {m.device for m in batch}
        missing = [number for number in wanted if number not in self._latest]
        if missing:
            self._latest.update(await store.read_latest(tx, missing))
        for number in wanted & self._latest.keys():
            self._latest.move_to_end(number)

    async def _learn(self, tx: Tx, point: Point) -> None:
        """Find or make the shape of a point."""
        values, units = point.values, point.units
        letters = "".join(store.kind_of(v) for v in values.values())
        unit_list = [units.get(name) if units else None for name in values]
        shape = await store.add_shape(tx, list(values), letters, unit_list)
        if len(self._shapes) >= MOST_SHAPES:
            self._shapes.clear()
        self._shapes[_key(point)] = (shape, letters, store.packer(letters))

    async def _make_days(self, tx: Tx, rows: Iterable[store.HistoryRow]) -> None:
        new = {row.at_us // _DAY_US for row in rows} - self._days
        for number in sorted(new):
            day = date(1970, 1, 1) + timedelta(days=number)
            await ledger.make_day_tables(tx, [TABLE], day, day)
        self._days |= new


def _key(point: Point) -> tuple[object, ...]:
    """Give what points of one shape have in common."""
    units = point.units
    kinds = tuple(map(type, point.values.values()))
    return (*point.values, kinds, tuple(units.items()) if units else None)


def _remember(state: store.LatestRow, point: Point, *, good: bool) -> bool:
    """Take over values that are newer; tell whether some were one series too many.

    `latest` is the greatest good time.
    """
    known = state.state
    at_us, units = point.at_us, point.units
    too_many = False
    for name, value in point.values.items():
        entry = known.get(name)
        if entry is None:
            if len(known) >= MAX_SERIES:
                state.dropped_series += 1
                too_many = True
                continue
            known[name] = [value, at_us, units.get(name) if units else None]
        elif good and at_us >= entry[1]:
            entry[0] = value
            entry[1] = at_us
            if units:
                entry[2] = units.get(name)
    return too_many


# --- Questions ------------------------------------------------------------


async def latest(tx: Tx, caller: Caller, device_id: UUID, at: datetime | None = None) -> State:
    """Read a device's latest values, or those that were the latest at an instant.

    Raises:
        DeviceUnknown.
        FieldInvalid, PastNotKept, NotThereThen, RemovedSince: nothing is known of the instant.
    """
    if at is None:
        device = await devices.get(tx, caller, device_id)
        return await store.get_state(tx, device.number)
    device = await devices.get_at(tx, caller, device_id, at)
    return (await store.states_at(tx, [device.number], at)).get(device.number, NOTHING_THEN)


NOTHING_THEN = State(None, None, (), None)


async def states(tx: Tx, numbers: Sequence[int]) -> Mapping[int, State]:
    """Read latest values of devices whose access the caller has checked."""
    return await store.get_states(tx, numbers)


async def readings(tx: Tx, caller: Caller, device_id: UUID, window: Window) -> list[Row]:
    """Read a device's readings of a period, by time.

    Raises:
        DeviceUnknown, RangeReversed.
        RangeTooWide: more rows than the limit, or too many in one step; never a silent cut.
    """
    if window.end <= window.start:
        raise RangeReversed
    device = await devices.get(tx, caller, device_id)
    if window.step_s is not None or window.every is not None:
        owner = await organizations.get(tx, PLATFORM, device.organization_id)
        return await grouped(tx, device.number, window, ZoneInfo(owner.time_zone))
    found = [row for _number, row in await store.read(tx, [device.number], window)]
    if len(found) > window.limit:
        raise RangeTooWide(limit=window.limit)
    return found


async def messages(
    tx: Tx,
    caller: Caller,
    device_id: UUID,
    asked: pages.PageRequest,
    *,
    problems_only: bool = False,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pages.Page[tuple[MessageRow, ledger.RawMessage | None]]:
    """Read a page of a device's messages with their bytes; None past the ledger's retention.

    `start` and `end` narrow by the time of the messages.

    Raises:
        DeviceUnknown, PermissionMissing, CursorInvalid, RangeReversed.
        FieldInvalid: another order is asked for, or a total of a period.
    """
    device = await devices.get(tx, caller, device_id)
    organizations.require(caller, organizations.Permission.READ_MESSAGES, *device.scope)
    if start is not None and end is not None and end <= start:
        raise RangeReversed
    if asked.total and (start or end):
        raise FieldInvalid("/total", "cannot be asked for together with a period")
    found = await store.list_messages(
        tx, device.number, asked, problems_only=problems_only, start=start, end=end
    )
    raw = await ledger.get_many(tx, {(m.partition, m.n): device.number for m in found.items})
    return pages.Page(
        [(m, raw.get((m.partition, m.n))) for m in found.items], found.next, found.total
    )


async def message(
    tx: Tx, caller: Caller, device_id: UUID, partition: int, n: int
) -> tuple[MessageRow, ledger.RawMessage]:
    """Read one message of a device.

    Raises:
        DeviceUnknown, PermissionMissing.
        PositionGone: it is past its retention, or not this device's.
    """
    device = await devices.get(tx, caller, device_id)
    organizations.require(caller, organizations.Permission.READ_MESSAGES, *device.scope)
    raw = await ledger.get(tx, device.number, partition, n)
    row = await store.find_message(tx, device.number, partition, n, raw.received_us)
    if row is None:
        raise ledger.PositionGone(position=n)
    return row, raw


async def newest_messages(tx: Tx, number: int, count: int) -> list[ledger.RawMessage]:
    """Read a device's newest messages as received; for doors and trials that checked access."""
    newest = pages.PageRequest(limit=count)
    found = await store.list_messages(tx, number, newest, problems_only=False)
    raw = await ledger.get_many(tx, {(m.partition, m.n): number for m in found.items})
    return list(raw.values())


async def last_messages(tx: Tx, numbers: Sequence[int]) -> dict[int, ledger.RawMessage]:
    """Read the newest message of each device; for callers whose access was checked."""
    places = await store.last_places(tx, numbers)
    raw = await ledger.get_many(tx, {place: number for number, place in places.items()})
    return {number: raw[place] for number, place in places.items() if place in raw}


async def make_days(tx: Tx) -> None:
    """Make the partitions that arriving readings need: 30 days back to 3 ahead."""
    today = tx.now.date()
    await ledger.make_day_tables(tx, [TABLE], today - timedelta(days=31), today + timedelta(days=3))
