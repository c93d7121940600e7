"""The fleet as it was: since when it is known, and to whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.organizations import Permission

from .. import store
from ..errors import DeviceUnknown, NotThereThen, PastNotKept, PastNotKnown, RemovedSince
from ..model import Device, DeviceFilter, DeviceState, Seen

KEPT = timedelta(days=366)


def seen_by(caller: Caller) -> Seen:
    """Tell which devices a caller may see, today and as they were."""
    permission = Permission.READ_DEVICES
    return Seen(caller.reach(permission), caller.places(permission))


def check(tx: Tx, wanted: DeviceFilter, sort: str | None = None) -> None:
    """Refuse what cannot be told of an instant gone by.

    Raises:
        FieldInvalid: it is still to come.
        PastNotKept: it is too long ago.
        PastNotKnown: the last contact of that time is asked for.
    """
    if wanted.at is None:
        return
    check_instant(tx, wanted.at)
    for name, asked in (
        ("lastSeenFrom", wanted.seen_from),
        ("lastSeenTo", wanted.seen_to),
        ("sort=lastSeenAt", (sort or "").removeprefix("-") == "lastSeenAt" or None),
    ):
        if asked is not None:
            raise PastNotKnown(name=name)


def check_instant(tx: Tx, at: datetime) -> None:
    """Refuse an instant that nothing is known of. Raises FieldInvalid, PastNotKept."""
    if at > tx.now:
        raise FieldInvalid("/at", "lies in the past")
    if at < tx.now - KEPT:
        raise PastNotKept(since=(tx.now - KEPT).isoformat(timespec="seconds"))


async def get(tx: Tx, caller: Caller, device_id: UUID, at: datetime) -> Device:
    """Read a device as it was.

    It is shown to whoever may see it both where it is today and where it was then.

    Raises:
        FieldInvalid, PastNotKept.
        DeviceUnknown: there is none, or the caller may not see it today.
        NotThereThen: it was not there then, or not where the caller may see it.
        RemovedSince: it was removed later, with its history.
    """
    check_instant(tx, at)
    seen = seen_by(caller)
    try:
        today = await store.registry.get(tx, device_id)
    except DeviceUnknown:
        removed_at = await store.past.removed_at(tx, seen, device_id)
        if removed_at is None:
            raise
        raise RemovedSince(id=device_id, removed_at=removed_at) from None
    if not caller.may(Permission.READ_DEVICES, *today.scope):
        raise DeviceUnknown(id=device_id)
    wanted = DeviceFilter((device_id,), states=tuple(DeviceState), at=at)
    found = await store.listing.list_devices(tx, seen, pages.PageRequest(limit=1), wanted)
    if not found.items:
        raise NotThereThen(id=device_id)
    return found.items[0]


async def note(tx: Tx) -> None:
    """Write down contacts and places that have changed; for the schedule only."""
    await store.past.note(tx)


async def forget(tx: Tx) -> None:
    """Forget what is past its retention; for the schedule only."""
    await store.past.forget(tx, tx.now - KEPT)
