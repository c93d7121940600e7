"""Readings and latest values of several devices; exports of any length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from moorage import devices, organizations
from moorage.devices import Named
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Opened, Tx
from moorage.kit.errors import CursorInvalid
from moorage.organizations import Permission

from .. import store
from ..errors import RangeReversed, RangeTooWide
from ..facts import MessagesExported, ReadingsExported
from ..model import DeviceLatest, DeviceRow, Row, Selection, State, Window
from .grouping import grouped
from .readings import NOTHING_THEN, PLATFORM, Messages, messages

# What one question looks at, and what one transaction of an export reads.
DEVICES_AT_ONCE = 200
ROWS_AT_ONCE = 20_000
MOST_GROUPS = 200_000
MESSAGES_AT_ONCE = 500
_NOTHING = State(None, 0, ())

# The device and the instant to go on from; no device means the first.
Where = tuple[UUID | None, datetime]


async def latest_of_many(
    tx: Tx,
    caller: Caller,
    chosen: Selection,
    asked: pages.PageRequest,
    at: datetime | None = None,
) -> pages.Page[DeviceLatest]:
    """Read the latest values of several devices, by their ids; or what they were at an instant.

    Raises:
        ApplicationUnknown, CursorInvalid.
        DeviceUnknown: one of the devices is not there, or the caller may not see it.
        FieldInvalid, PastNotKept: nothing is known of the instant.
    """
    first = None
    if asked.after is not None:
        (first,) = pages.decode_cursor(asked.after, 1)
        if not isinstance(first, UUID):
            raise CursorInvalid
    found = await _named(tx, caller, chosen, first, asked.limit + 1, at)
    shown = found[: asked.limit]
    numbers = [device.number for device in shown]
    if at is None:
        nothing, states = _NOTHING, await store.get_states(tx, numbers)
    else:
        nothing, states = NOTHING_THEN, await store.states_at(tx, numbers, at)
    items = []
    for device in shown:
        state = states.get(device.number, nothing)
        items.append(
            DeviceLatest(
                device.id,
                device.name,
                state.received_at,
                state.message_count,
                state.latest,
                state.dropped_values,
            )
        )
    more = len(found) > len(shown)
    return pages.Page(items, pages.encode_cursor([found[-1].id]) if more else None)


async def readings_of_many(
    tx: Tx, caller: Caller, chosen: Selection, window: Window, after: str | None
) -> pages.Page[DeviceRow]:
    """Read a page of readings of several devices: device by device, each by time.

    A page may be short and still have a next one, which keeps to the period of the first. It has
    more rows than `window.limit` only where these are of one instant.

    Raises:
        ApplicationUnknown, DeviceUnknown, CursorInvalid, RangeReversed, RangeTooWide.
    """
    where: Where = None, window.start
    if after is not None:
        device_id, since, start, end = _cursor(after)
        window, where = replace(window, start=start, end=end), (device_id, since)
    check(window)
    rows, on = await _batch(tx, caller, chosen, window, where, window.limit)
    if on is None:
        return pages.Page(rows)
    return pages.Page(rows, pages.encode_cursor([*on, window.start, window.end]))


async def export(
    opened: Opened, chosen: Selection, window: Window
) -> AsyncIterator[Sequence[DeviceRow]]:
    """Give all readings of several devices in batches: device by device, each by time.

    Each batch is a transaction of its own, so that a slow reader holds none open, and is read with
    the rights the caller has by then.

    Raises:
        ApplicationUnknown, DeviceUnknown: they are gone meanwhile, or their right is.
    """
    on: Where | None = (None, window.start)
    while on is not None:
        async with opened() as (tx, caller):
            rows, on = await _batch(tx, caller, chosen, window, on, ROWS_AT_ONCE)
        if rows:
            yield rows


async def export_messages(
    opened: Opened, device_id: UUID, start: datetime | None, end: datetime | None
) -> AsyncIterator[Messages]:
    """Give a device's messages as received, oldest first, in batches as `export` does."""
    after = None
    while True:
        asked = pages.PageRequest(MESSAGES_AT_ONCE, after, "at")
        async with opened() as (tx, caller):
            page = await messages(tx, caller, device_id, asked, start=start, end=end)
        if page.items:
            yield page.items
        if (after := page.next) is None:
            return


async def series_of(
    tx: Tx, caller: Caller, device_id: UUID, window: Window
) -> dict[str, str | None]:
    """List the series a device has in a period, with their units. Raises DeviceUnknown."""
    device = await devices.get(tx, caller, device_id)
    return await store.series_of(tx, device.number, window)


async def note_export(tx: Tx, caller: Caller, chosen: Selection, window: Window) -> None:
    """Announce that the caller downloads readings, once it is clear that this may be.

    Raises:
        ApplicationUnknown, DeviceUnknown, RangeReversed, RangeTooWide.
    """
    check(window)
    found = await _named(tx, caller, chosen, None, DEVICES_AT_ONCE)
    subject_id = chosen.application_id or caller.id
    if len(chosen.device_ids) == 1:
        (subject_id,) = chosen.device_ids
    named = bool(chosen.device_ids or chosen.application_id or chosen.organization_id)
    organization_ids: set[UUID | None] = {None}
    if named or not caller.reach(Permission.READ_DEVICES).everywhere:
        organization_ids = {device.organization_id for device in found} or {None}
    after = {"from": window.start, "to": window.end, "devices": len(chosen.device_ids) or None}
    for organization_id in organization_ids:
        tx.announce(ReadingsExported(subject_id, organization_id, after=after))


async def note_message_export(
    tx: Tx, caller: Caller, device_id: UUID, start: datetime | None, end: datetime | None
) -> None:
    """Announce that the caller downloads a device's messages.

    Raises:
        DeviceUnknown, PermissionMissing, RangeReversed.
    """
    device = await devices.get(tx, caller, device_id, Permission.READ_MESSAGES)
    if start is not None and end is not None and end <= start:
        raise RangeReversed
    after = {"from": start, "to": end}
    tx.announce(MessagesExported(device_id, device.organization_id, after=after))


def check(window: Window) -> None:
    """Refuse a period that cannot be. Raises RangeReversed, RangeTooWide."""
    if window.end <= window.start:
        raise RangeReversed
    if window.step_s and (window.end - window.start).total_seconds() > window.step_s * MOST_GROUPS:
        raise RangeTooWide(limit=MOST_GROUPS)


async def _batch(
    tx: Tx, caller: Caller, chosen: Selection, window: Window, where: Where, limit: int
) -> tuple[list[DeviceRow], Where | None]:
    """Read about `limit` rows from a device and an instant on, and where to go on."""
    first, since = where
    found = await _named(tx, caller, chosen, first, DEVICES_AT_ONCE + 1)
    rows: list[DeviceRow] = []
    for device in found[:DEVICES_AT_ONCE]:
        on: datetime | None = since if device.id == first else window.start
        while on is not None:
            if len(rows) >= limit:
                return rows, (device.id, on)
            part = replace(window, start=on, limit=limit - len(rows))
            some, following = await _stretch(tx, device, part)
            if rows and len(some) > part.limit:
                return rows, (device.id, on)
            on = following
            rows += (
                DeviceRow(device.id, device.name, row.at, row.values, row.units, row.quality)
                for row in some
            )
    if len(found) > DEVICES_AT_ONCE:
        return rows, (found[-1].id, window.start)
    return rows, None


async def _named(
    tx: Tx,
    caller: Caller,
    chosen: Selection,
    first: UUID | None,
    limit: int,
    at: datetime | None = None,
) -> list[Named]:
    return await devices.list_named(
        tx,
        caller,
        device_ids=chosen.device_ids,
        application_id=chosen.application_id,
        organization_id=chosen.organization_id,
        first=first,
        limit=limit,
        at=at,
    )


async def _stretch(tx: Tx, device: Named, window: Window) -> tuple[list[Row], datetime | None]:
    """Read rows, or groups of them, from the start of a window, and where to go on."""
    if window.step_s is None and window.every is None:
        return await store.read_stretch(tx, device.number, window)
    owner = await organizations.get(tx, PLATFORM, device.organization_id)
    zone = ZoneInfo(owner.time_zone)
    rows = await grouped(tx, device.number, replace(window, limit=MOST_GROUPS), zone)
    if len(rows) <= window.limit:
        return rows, None
    return rows[: window.limit], rows[window.limit].at


def _cursor(text: str) -> tuple[UUID, datetime, datetime, datetime]:
    device_id, since, start, end = pages.decode_cursor(text, 4)
    instants = (since, start, end)
    if not isinstance(device_id, UUID) or not all(isinstance(at, datetime) for at in instants):
        raise CursorInvalid
    return device_id, since, start, end
