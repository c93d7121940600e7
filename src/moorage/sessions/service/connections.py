"""The rules of presence, and of where a device is at home; listeners call most of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from moorage import devices, groups
from moorage.kit.db import Tx

from .. import store
from ..model import (
    SAID_GOODBYE,
    TAKEN_OVER,
    KeptSession,
    Listener,
    Measured,
    PassedMessage,
    PresenceEvent,
    RetainedMessage,
    SharedMessage,
)

# A listener beats every two seconds. This long without a beat it is doubted, and has then so long
# to beat: after the database was away, nobody is taken for dead before all could beat again.
LISTENER_PATIENCE = timedelta(seconds=6)
DOUBT = timedelta(seconds=4)
KEEP_ENDED = timedelta(days=30)
KEEP_PER_DEVICE = 10
MOST_WILLS = 200
MOST_UNHEARING = 1_000
# Till then all sessions have what was passed on between listeners: one that writes nothing is given
# up for dead within seconds, and another takes up its sessions.
KEEP_PASSED = timedelta(minutes=5)


async def start_listener(tx: Tx, name: str, address: str | None = None, version: str = "") -> UUID:
    """Begin a life of the listener of this name; what its predecessor left connected is ended.

    Args:
        tx: the transaction.
        name: the same at every start of the same listener, such as `host:1883`.
        address: where the others reach it, as `host:port`.
        version: of the platform.
    """
    before = await store.listeners.find_named(tx, name)
    if before is not None:
        await _end(tx, [before])
    return await store.listeners.add(tx, name, address, version)


async def beat(tx: Tx, listener_id: UUID, follows: int = 0) -> bool:
    """Note that a listener lives, every two seconds; False if it was given up for dead.

    Args:
        tx: the transaction.
        listener_id: who lives.
        follows: how many others send it what is published there.
    """
    return await store.listeners.beat(tx, listener_id, follows)


async def stop_listener(tx: Tx, listener_id: UUID) -> None:
    """End the life of a listener that has said goodbye to its devices."""
    await _end(tx, [listener_id])


async def bury(tx: Tx, listener_id: UUID, *, by: str, refused: bool) -> bool:
    """Give a listener up that cannot be reached, if it is dead; tell whether it is.

    It is if nobody listens at its address any more, or if it does not beat either. From another
    machine a refusal may be a firewall's, so there both must be.

    Args:
        tx: the transaction.
        listener_id: who cannot be reached.
        by: the name of the listener that tried.
        refused: whether the connection was refused, rather than not answered.
    """
    found = await store.listeners.find(tx, listener_id)
    if found is None:
        return True
    is_near = found.machine == by.rpartition(":")[0]
    if found.seen_at > tx.now - LISTENER_PATIENCE and not (refused and is_near):
        return False
    await _end(tx, [listener_id])
    return True


async def end_lost(tx: Tx) -> None:
    """End the connections of listeners that beat no more, and forget what all have been told.

    For the schedule only.
    """
    lost = await store.listeners.lost(tx, tx.now - DOUBT, tx.now - LISTENER_PATIENCE)
    if lost:
        await _end(tx, lost)
    await store.listeners.doubt(tx, tx.now - LISTENER_PATIENCE)
    await store.shared.trim(tx, tx.now - KEEP_PASSED)


async def list_listeners(tx: Tx) -> list[Listener]:
    """List the listeners that live; for operators."""
    return await store.listeners.list_all(tx)


async def _end(tx: Tx, listener_ids: Sequence[UUID]) -> None:
    await store.kept.let_expire(tx, listener_ids)
    await store.listeners.remove(tx, listener_ids)
    await store.programs.end_all(tx, listener_ids)
    ended = await store.presence.end_all(tx, listener_ids)
    still = await store.presence.connected_of(tx, ended)
    await devices.connected(tx, {number: False for number in ended if number not in still})


async def record(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    """Write a batch of comings and goings, in the order they happened.

    A goodbye that arrives after a newer connection of the same client id is void.
    """
    await _record_programs(tx, listener_id, [one for one in events if one.key_id is not None])
    events = [one for one in events if one.key_id is None]
    if not events:
        return
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
        await store.presence.came(tx, listener_id, list(arrivals.values()), known)
    endings = [event for event in latest.values() if not event.connected]
    if endings:
        await store.presence.went(tx, listener_id, endings)
    now_connected = await store.presence.connected_of(tx, numbers)
    heard = [event for event in events if event.connected or event.cause == SAID_GOODBYE]
    await devices.seen(tx, {event.number: event.at for event in heard})
    await devices.connected(tx, {number: number in now_connected for number in numbers})


async def _record_programs(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    latest = {(one.key_id, one.client_id): one for one in events}.values()
    if came := [one for one in latest if one.connected]:
        await store.programs.came(tx, listener_id, came)
    await store.programs.went(tx, listener_id, [one for one in latest if not one.connected])


async def claim(
    tx: Tx, listener_id: UUID, numbers: Sequence[int]
) -> tuple[dict[int, int], dict[int, Listener]]:
    """Make a listener the home of devices that have none.

    Gives the epochs of those that are at home there, and where the others are.
    """
    known = await devices.known(tx, numbers)
    homes = await store.listeners.claim(tx, listener_id, known)
    missing = [number for number in known if number not in homes]
    return homes, await store.listeners.homes_of(tx, missing) if missing else {}


async def release(tx: Tx, listener_id: UUID, numbers: Sequence[int]) -> None:
    """Let another listener be the home of devices."""
    await store.listeners.release(tx, listener_id, numbers)


async def keep(
    tx: Tx,
    listener_id: UUID,
    homes: Mapping[int, int],
    kept: Sequence[KeptSession],
    retained: Sequence[RetainedMessage],
    shared: Sequence[SharedMessage] = (),
) -> set[int]:
    """Write a batch of what devices find again, in the order it happened; the last counts.

    Args:
        tx: the transaction.
        listener_id: who writes.
        homes: the epochs of the devices at home there.
        kept: sessions.
        retained: retained messages.
        shared: messages to topics that devices share.

    Returns:
        The devices for which nothing was written: they are at home elsewhere by now, or gone.
    """
    numbers = {one.number for one in kept} | {one.number for one in retained}
    numbers |= {one.number for one in shared if one.number >= 0}
    claimed = {number: homes[number] for number in sorted(numbers) if number in homes}
    known = await store.listeners.hold(tx, listener_id, claimed)
    sessions = {(one.number, one.client_id): one for one in kept if one.number in known}.values()
    messages = {(one.number, one.topic): one for one in retained if one.number in known}.values()
    for part, write in (
        ([one for one in sessions if one.state is not None], store.kept.keep_sessions),
        ([one for one in sessions if one.state is None], store.kept.discard_sessions),
    ):
        if part:
            await write(tx, part)
    for part_retained, write_retained in (
        ([one for one in messages if one.message is not None], store.kept.retain),
        ([one for one in messages if one.message is None], store.kept.clear_retained),
    ):
        if part_retained:
            await write_retained(tx, part_retained)
    await _pass_on(tx, listener_id, known, shared)
    return numbers - known


async def _pass_on(
    tx: Tx, listener_id: UUID, known: set[int], shared: Sequence[SharedMessage]
) -> None:
    """Write what devices share, of those at home here and of services."""
    if any(one.number < 0 for one in shared) and await store.listeners.is_living(tx, listener_id):
        known = known | {one.number for one in shared if one.number < 0}
    shared = [one for one in shared if one.number in known]
    if passed := [one for one in shared if one.place]:
        await store.shared.pass_on(tx, listener_id, passed)
    if retained := {(one.application_id, one.topic): one for one in shared if one.retains}:
        there = await groups.names_of(tx, {application_id for application_id, _ in retained})
        await store.shared.retain(
            tx, [one for one in retained.values() if one.application_id in there]
        )


async def kept_of(
    tx: Tx, numbers: Sequence[int]
) -> tuple[list[KeptSession], list[RetainedMessage]]:
    """Read what devices find again."""
    sessions = await store.kept.kept_sessions(tx, numbers)
    return sessions, await store.kept.retained_messages(tx, numbers)


async def shared_since(
    tx: Tx, applications: Iterable[UUID], heard: Mapping[UUID, int]
) -> tuple[list[PassedMessage], list[tuple[UUID, bytes]]]:
    """Read what devices of applications shared lately, and what is retained of it.

    Args:
        tx: the transaction.
        applications: whose topics.
        heard: the place after which it is wanted, of each listener; all of those not named.

    Returns:
        What was passed on, by listener in its order; retained messages with their application.
    """
    applications = list(applications)
    found = await store.shared.passed(tx, applications, heard)
    return found, await store.shared.retained(tx, applications)


async def living(tx: Tx) -> list[Listener]:
    """List the listeners that live, the oldest first; their connections are not counted."""
    return await store.listeners.living(tx)


async def unhearing(tx: Tx) -> list[int]:
    """List some devices at home nowhere with sessions that others may send something."""
    return await store.kept.unhearing(tx, MOST_UNHEARING)


async def due_wills(tx: Tx, listener_id: UUID) -> list[int]:
    """List some devices with a will that is due and that no other listener publishes."""
    return await store.kept.due_wills(tx, listener_id, MOST_WILLS)


async def measured(tx: Tx, listener_id: UUID | None, found: Sequence[Measured]) -> None:
    """Write what a listener has measured; of each connection the last counts."""
    latest = {(one.number, one.client_id): one for one in found if one.key_id is None}
    if latest:
        await store.presence.measured(tx, list(latest.values()))
    programs = [one for one in found if one.key_id is not None]
    if programs and listener_id is not None:
        await store.programs.measured(tx, listener_id, programs)


async def count_connected(tx: Tx) -> dict[str, int]:
    """Count open connections by protocol; for operators."""
    return await store.presence.count_connected(tx)


async def forget_ended(tx: Tx, numbers: Sequence[int]) -> None:
    """Forget all but the last ended connections of devices."""
    await store.presence.forget_ended(tx, numbers, KEEP_PER_DEVICE)


async def trim(tx: Tx) -> None:
    """Forget connections that ended long ago, and sessions that expired; for the schedule only."""
    await store.presence.trim(tx, tx.now - KEEP_ENDED, KEEP_PER_DEVICE)
    await store.kept.trim_kept(tx, tx.now)
