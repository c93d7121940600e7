"""The rules of presence; listeners call most of it, without a caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from moorage import devices
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Permission

from . import store
from .model import (
    SAID_GOODBYE,
    TAKEN_OVER,
    KeptSession,
    Presence,
    PresenceEvent,
    PresenceFilter,
    RetainedMessage,
)

# A listener beats every few seconds; this long without a beat it counts as dead.
LISTENER_PATIENCE = timedelta(seconds=30)
KEEP_ENDED = timedelta(days=30)
KEEP_PER_DEVICE = 10


async def start_listener(tx: Tx, name: str) -> UUID:
    """Begin a life of the listener of this name; what its predecessor left connected is ended.

    Args:
        tx: the transaction.
        name: the same at every start of the same listener, such as `host:1883`.
    """
    listener_id, before = await store.start_listener(tx, name)
    if before is not None:
        await _end(tx, [before])
    return listener_id


async def beat(tx: Tx, listener_id: UUID) -> None:
    """Note that a listener lives; every ten seconds."""
    await store.beat(tx, listener_id)


async def end_lost(tx: Tx) -> None:
    """End the connections of listeners that beat no more; for the schedule only."""
    await _end(tx, await store.lost_listeners(tx, tx.now - LISTENER_PATIENCE))


async def _end(tx: Tx, listener_ids: Sequence[UUID]) -> None:
    await store.let_expire(tx, listener_ids)
    ended = await store.end_all(tx, listener_ids)
    still = await store.connected_of(tx, ended)
    await devices.connected(tx, {number: False for number in ended if number not in still})


async def record(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    """Write a batch of comings and goings, in the order they happened.

    A goodbye that arrives after a newer connection of the same client id is void.
    """
    latest: dict[tuple[int, str], PresenceEvent] = {}
    arrivals: dict[tuple[int, str], PresenceEvent] = {}
    for event in events:
        key = event.number, event.client_id
        if event.connected:
            arrivals[key] = latest[key] = event
        elif event.cause != TAKEN_OVER:
            latest[key] = event
    numbers = sorted({event.number for event in events})
    known = await devices.known(tx, numbers)
    if arrivals:
        await store.came(tx, listener_id, list(arrivals.values()), known)
    endings = [event for event in latest.values() if not event.connected]
    if endings:
        await store.went(tx, listener_id, endings)
    now_connected = await store.connected_of(tx, numbers)
    heard = [event for event in events if event.connected or event.cause == SAID_GOODBYE]
    await devices.seen(tx, {event.number: event.at for event in heard})
    await devices.connected(tx, {number: number in now_connected for number in numbers})


async def keep(tx: Tx, kept: Sequence[KeptSession], retained: Sequence[RetainedMessage]) -> None:
    """Write a batch of what devices find again, in the order it happened; the last counts.

    A device that is gone finds nothing, so nothing is written for it.
    """
    numbers = {one.number for one in kept} | {one.number for one in retained}
    known = set(await devices.known(tx, sorted(numbers)))
    sessions = {(one.number, one.client_id): one for one in kept if one.number in known}.values()
    messages = {(one.number, one.topic): one for one in retained if one.number in known}.values()
    for part, write in (
        ([one for one in sessions if one.state is not None], store.keep_sessions),
        ([one for one in sessions if one.state is None], store.discard_sessions),
    ):
        if part:
            await write(tx, part)
    for part_retained, write_retained in (
        ([one for one in messages if one.message is not None], store.retain),
        ([one for one in messages if one.message is None], store.clear_retained),
    ):
        if part_retained:
            await write_retained(tx, part_retained)


async def kept_of(
    tx: Tx, numbers: Sequence[int]
) -> tuple[list[KeptSession], list[RetainedMessage]]:
    """Read what devices find again."""
    return await store.kept_sessions(tx, numbers), await store.retained_messages(tx, numbers)


async def list_presence(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: PresenceFilter
) -> pages.Page[Presence]:
    """List connections of the devices the caller may see."""
    return await store.list_presence(tx, caller.reach(Permission.READ_DEVICES), asked, wanted)


async def presence_of(
    tx: Tx, caller: Caller, device_id: UUID
) -> tuple[devices.Device, list[Presence]]:
    """Read a device and its connections, the latest first. Raises DeviceUnknown."""
    device = await devices.get(tx, caller, device_id)
    page = await list_presence(
        tx, caller, pages.PageRequest(limit=50), PresenceFilter(device_id=device_id)
    )
    return device, page.items


async def count_connected(tx: Tx) -> dict[str, int]:
    """Count open connections by protocol; for operators."""
    return await store.count_connected(tx)


async def trim(tx: Tx) -> None:
    """Forget connections that ended long ago, and sessions that expired; for the schedule only."""
    await store.trim(tx, tx.now - KEEP_ENDED, KEEP_PER_DEVICE)
    await store.trim_kept(tx, tx.now)
