"""What people see of connections, and how they end one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from moorage import devices
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Permission, require

from .. import store
from ..errors import ConnectionUnknown, ProgramUnknown
from ..facts import ConnectionEnded, ProgramEnded
from ..model import (
    Ending,
    Presence,
    PresenceFilter,
    Program,
    ProgramFilter,
    digest_of,
)

# The doorbell that says whose connections are to be measured: numbers of devices, or `PROGRAMS`.
MEASURE_CHANNEL = "moorage_measure"
PROGRAMS = "programs"
FRESH = timedelta(seconds=1)
# The doorbell that says which connection is to end.
ENDINGS_CHANNEL = "moorage_endings"


async def list_presence(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: PresenceFilter
) -> pages.Page[Presence]:
    """List connections of the devices the caller may see; open ones are measured for next time."""
    page = await store.presence.list_presence(
        tx, caller.reach(Permission.READ_DEVICES), asked, wanted
    )
    await _have_measured(tx, page.items)
    return page


async def presence_of(
    tx: Tx, caller: Caller, device_id: UUID
) -> tuple[devices.Device, list[Presence]]:
    """Read a device and its connections, the latest first. Raises DeviceUnknown."""
    device = await devices.get(tx, caller, device_id)
    page = await list_presence(
        tx, caller, pages.PageRequest(limit=50), PresenceFilter(device_id=device_id)
    )
    return device, page.items


async def _have_measured(tx: Tx, found: Sequence[Presence]) -> None:
    """Have the listeners measure open connections, for who reads them next.

    What was measured a moment ago is left.
    """
    since = tx.now - FRESH
    stale = {
        one.device_id
        for one in found
        if one.connected and (one.measured_at or one.connected_at) < since
    }
    if stale:
        numbers = await devices.numbers_of(tx, stale)
        await _ring(tx, MEASURE_CHANNEL, sorted(str(number) for number in numbers.values()))


async def list_programs(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: ProgramFilter
) -> pages.Page[Program]:
    """List the programs that are connected with the API keys the caller may see."""
    page = await store.programs.list_programs(
        tx, caller.reach(Permission.READ_USERS), asked, wanted
    )
    since = tx.now - FRESH
    if any((one.measured_at or one.connected_at) < since for one in page.items):
        await _ring(tx, MEASURE_CHANNEL, [PROGRAMS])
    return page


async def end_connection(tx: Tx, caller: Caller, device_id: UUID, client_id: str) -> None:
    """End a connection of a device; it may come back.

    Raises:
        DeviceUnknown: there is none, or the caller may not see it.
        PermissionMissing: the caller may not operate it.
        ConnectionUnknown: it is not connected by that client id.
    """
    device = await devices.get(tx, caller, device_id)
    require(caller, Permission.OPERATE_DEVICES, *device.scope)
    if not await store.presence.is_connected(tx, device.number, client_id):
        raise ConnectionUnknown
    after = {"clientId": client_id[:200]}
    tx.announce(ConnectionEnded(device.id, device.organization_id, after=after))
    await _ring(tx, ENDINGS_CHANNEL, [f"{device.number}:{digest_of(client_id)}"])


async def end_program(tx: Tx, caller: Caller, program_id: UUID) -> None:
    """End the connection of a program; it may come back while its key holds.

    Raises:
        ProgramUnknown: it has ended, or the caller may not see it.
        PermissionMissing: the caller may not manage its key.
    """
    found = await store.programs.find(tx, program_id)
    if found is None or not caller.may(Permission.READ_USERS, found.organization_id):
        raise ProgramUnknown
    require(caller, Permission.MANAGE_USERS, found.organization_id)
    after = {"clientId": found.client_id[:200], "address": found.address}
    tx.announce(ProgramEnded(found.key_id, found.organization_id, after=after))
    await _ring(tx, ENDINGS_CHANNEL, [f"{found.key_id}:{digest_of(found.client_id)}"])


def read_ending(payload: str) -> Ending:
    """Read what the doorbell of endings says."""
    whose, _, digest = payload.partition(":")
    if whose.isdecimal():
        return Ending(int(whose), None, digest)
    return Ending(0, UUID(whose), digest)


async def _ring(tx: Tx, channel: str, payloads: Sequence[str]) -> None:
    await tx.execute(
        "SELECT pg_notify(:channel, one) FROM unnest(CAST(:payloads AS text[])) AS one",
        {"channel": channel, "payloads": list(payloads)},
    )
