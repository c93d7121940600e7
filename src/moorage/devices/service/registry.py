"""Enrol, read, change, move, remove: the door to every device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from moorage import decoders, groups, notifications, organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference, merged
from moorage.organizations import Permission, PermissionMissing, Quota, QuotaReached

from .. import store
from ..errors import DecoderStays, DeviceUnknown, GatewayUnfit, PhotoUnfit, StateNotAllowed
from ..facts import DeviceChanged, DeviceEnrolled, DeviceMoved, DeviceRemoved
from ..model import (
    NEXT_STATES,
    Device,
    DeviceFilter,
    DeviceKind,
    DevicePage,
    DeviceState,
    MapBox,
    MapCluster,
    Named,
    NewDevice,
    StateChange,
)
from . import past

# Devices that are removed by one statement.
AT_ONCE = 500
FIRST_STATES = frozenset({DeviceState.PLANNED, DeviceState.ACTIVE})


async def enrol(tx: Tx, caller: Caller, new: NewDevice) -> Device:
    """Enrol a device in an application. Raises what `enrol_many` raises."""
    (device,) = await enrol_many(tx, caller, [new])
    return device


async def enrol_many(tx: Tx, caller: Caller, many: Sequence[NewDevice]) -> list[Device]:
    """Enrol devices in their applications, all of them or none; give them in order.

    Raises:
        ApplicationUnknown, PermissionMissing, SerialTaken, IdentifierTaken, GatewayUnfit,
        DecoderUnknown, QuotaReached,
        FieldInvalid: one would begin its life in a later state.
    """
    if any(new.state not in FIRST_STATES for new in many):
        raise FieldInvalid("/state", "a new device is planned or active")
    owners: dict[UUID, UUID] = {}
    for application_id in dict.fromkeys(new.application_id for new in many):
        application = await groups.get(tx, caller, application_id)
        owner = owners[application_id] = application.organization_id
        organizations.require(caller, Permission.MANAGE_DEVICES, owner, application_id)
    for owner, gateway_id in {(owners[n.application_id], n.gateway_id) for n in many}:
        await require_gateway(tx, caller, owner, None, gateway_id)
    for owner, decoder_id in {(owners[n.application_id], n.decoder_id) for n in many}:
        if decoder_id is not None:
            await decoders.hold_usable(tx, owner, decoder_id)
    await require_room(tx, owners, Counter(new.application_id for new in many))
    ids = await store.registry.add(tx, [(owners[new.application_id], new) for new in many])
    made = await store.registry.get_many(tx, ids)
    for device_id, new in zip(ids, many, strict=True):
        owner = owners[new.application_id]
        tx.announce(DeviceEnrolled(device_id, owner, after=asdict(new)))
    return [made[device_id] for device_id in ids]


async def get(
    tx: Tx,
    caller: Caller,
    device_id: UUID,
    permission: Permission = Permission.READ_DEVICES,
    *,
    lock: bool = False,
) -> Device:
    """Read a device the caller may see: the one door to devices.

    Raises:
        DeviceUnknown: there is none, or the caller may not see it.
        PermissionMissing: the caller sees it and lacks `permission` for it.
    """
    device = await store.registry.get(tx, device_id, lock=lock)
    if not caller.may(Permission.READ_DEVICES, *device.scope):
        raise DeviceUnknown(id=device_id)
    organizations.require(caller, permission, *device.scope)
    return device


async def find_many(
    tx: Tx,
    caller: Caller,
    device_ids: Sequence[UUID],
    permission: Permission,
    *,
    lock: bool = False,
) -> dict[UUID, Device | DeviceUnknown | PermissionMissing]:
    """Read devices by their ids, as `get` reads one; for each that may not be had, tell why.

    DeviceUnknown: it is not there, or the caller may not see it. PermissionMissing: the caller
    sees it and lacks `permission` for it.
    """
    found = await store.registry.get_many(tx, device_ids, lock=lock)
    had: dict[UUID, Device | DeviceUnknown | PermissionMissing] = {}
    for device_id in device_ids:
        device = found.get(device_id)
        if device is None or not caller.may(Permission.READ_DEVICES, *device.scope):
            had[device_id] = DeviceUnknown(id=device_id)
            continue
        try:
            organizations.require(caller, permission, *device.scope)
        except PermissionMissing as missing:
            had[device_id] = missing
        else:
            had[device_id] = device
    return had


async def map_clusters(
    tx: Tx, caller: Caller, box: MapBox, cells: int, wanted: DeviceFilter
) -> list[MapCluster]:
    """Gather the devices the caller may see on a part of the map into clusters.

    Args:
        tx: the transaction.
        caller: who looks.
        box: the part of the map.
        cells: how many cells the grid has from west to east.
        wanted: as in a list.

    Raises:
        FieldInvalid, PastNotKept, PastNotKnown: as in a list.
    """
    past.check(tx, wanted)
    return await store.listing.map_clusters(tx, past.seen_by(caller), box, cells, wanted)


async def list_devices(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: DeviceFilter
) -> DevicePage:
    """List the devices the caller may see, as they are or as they were at `wanted.at`.

    Raises:
        CursorInvalid.
        FieldInvalid: the order is not offered, or `at` is still to come.
        PastNotKept: `at` is too long ago.
        PastNotKnown: an order or a filter asks for what is not kept.
    """
    past.check(tx, wanted, asked.sort)
    seen = past.seen_by(caller)
    page = await store.listing.list_devices(tx, seen, asked, wanted)
    removed = None
    if wanted.at is not None:
        removed = await store.past.count_removed(tx, seen, wanted, wanted.at)
    return DevicePage(page.items, page.next, page.total, removed)


async def change(
    tx: Tx, caller: Caller, device_id: UUID, changes: Mapping[str, Any], *, reason: str = ""
) -> Device:
    """Change a device's fields, its lifecycle state among them; metadata is merged.

    Raises:
        DeviceUnknown, PermissionMissing, SerialTaken, IdentifierTaken, GatewayUnfit,
        DecoderUnknown, StateNotAllowed.
    """
    before = await get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    if "metadata" in changes:
        changes = {**changes, "metadata": merged(before.metadata, changes["metadata"])}
    after = replace(before, **changes)
    if after == before:
        return before
    if after.gateway_id != before.gateway_id:
        await require_gateway(tx, caller, before.organization_id, device_id, after.gateway_id)
    if after.decoder_id is not None and after.decoder_id != before.decoder_id:
        await decoders.hold_usable(tx, before.organization_id, after.decoder_id)
    check_step(before.state, after.state)
    await store.registry.change(tx, before, after)
    if after.state is not before.state:
        await store.registry.note_state(tx, device_id, after.state, reason)
    if after.thresholds != before.thresholds:
        # The next message is judged by the new ones.
        await notifications.clear(tx, notifications.NoticeKind.THRESHOLD, [device_id])
    was, now = difference(view(before), view(after))
    tx.announce(DeviceChanged(device_id, before.organization_id, was, now))
    return await store.registry.get(tx, device_id)


def check_step(state: DeviceState, wanted: DeviceState) -> None:
    """Refuse a step the lifecycle does not have. Raises StateNotAllowed."""
    if wanted is not state and wanted not in NEXT_STATES[state]:
        allowed = ", ".join(sorted(s.value for s in NEXT_STATES[state]))
        raise StateNotAllowed(state=state.value, wanted=wanted.value, allowed=allowed)


async def move(tx: Tx, caller: Caller, device_id: UUID, application_id: UUID) -> Device:
    """Move one device to another application, of another organisation as well.

    Its history, credentials and own topics come along, rules for it alone do not; nobody else's
    device is touched. It leaves its gateway and its owner when the organisation changes.

    Raises:
        DeviceUnknown, ApplicationUnknown, PermissionMissing, SerialTaken, QuotaReached.
        DecoderStays: its decoder is the old organisation's own.
    """
    before = await get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    target = await groups.get(tx, caller, application_id)
    organizations.require(caller, Permission.MANAGE_DEVICES, target.organization_id, target.id)
    if application_id == before.application_id:
        return before
    abroad = target.organization_id != before.organization_id
    if abroad and before.decoder_id is not None:
        await _require_taken_along(tx, target.organization_id, before.decoder_id)
    owner = target.organization_id if abroad else None
    await require_room(tx, {target.id: owner}, {target.id: 1})
    after = replace(
        before,
        application_id=application_id,
        organization_id=target.organization_id,
        gateway_id=None if abroad else before.gateway_id,
        owner_id=None if abroad else before.owner_id,
    )
    await store.registry.change(tx, before, after)
    await store.topics.remove_of(tx, device_id)
    if abroad:
        await store.registry.free_children(tx, device_id)
    was, now = difference(view(before), view(after))
    tx.announce(DeviceMoved(device_id, before.organization_id, was, now))
    if abroad:
        tx.announce(DeviceMoved(device_id, target.organization_id, was, now))
    return await store.registry.get(tx, device_id)


async def remove(tx: Tx, caller: Caller, device_id: UUID) -> None:
    """Remove a device with its credentials; what it sent is erased by those who keep it.

    Raises:
        DeviceUnknown, PermissionMissing.
    """
    device = await get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    await store.registry.remove(tx, device)
    announce_removed(tx, [device])


def announce_removed(tx: Tx, gone: Iterable[Device]) -> None:
    """Announce devices that were removed, with the numbers by which what they sent is erased."""
    for device in gone:
        before = view(device) | {"number": device.number}
        tx.announce(DeviceRemoved(device.id, device.organization_id, before=before))


async def states_of(tx: Tx, caller: Caller, device_id: UUID) -> list[StateChange]:
    """Read a device's life so far, the newest step first. Raises DeviceUnknown."""
    await get(tx, caller, device_id)
    return await store.registry.states_of(tx, device_id)


async def move_application(
    tx: Tx, caller: Caller, application_id: UUID, organization_id: UUID
) -> groups.Application:
    """Hand an application with all its devices to another organisation.

    Raises:
        ApplicationUnknown, OrganizationUnknown, PermissionMissing, ApplicationNameTaken,
        SerialTaken.
        DecoderStays: the decoder of a device or a route is the old organisation's own.
    """
    await groups.get(tx, caller, application_id)
    for decoder_id in await store.registry.decoders_of(tx, application_id):
        await _require_taken_along(tx, organization_id, decoder_id)
    await store.registry.refuse_serials_of(tx, application_id, organization_id)
    await store.past.keep(tx, "d.application_id = :id", id=application_id)
    moved = await groups.move(tx, caller, application_id, organization_id)
    await store.registry.free_strangers(tx, application_id)
    await store.owners.free(tx, application_id)
    await store.senders.changed_in(tx, application_id)
    return moved


async def remove_application(
    tx: Tx, caller: Caller, application_id: UUID, *, with_devices: bool
) -> None:
    """Remove an application, and its devices where that was asked for.

    Raises:
        ApplicationUnknown, PermissionMissing, ApplicationNotEmpty.
    """
    application = await groups.get(tx, caller, application_id, lock=True)
    place = application.organization_id, application_id
    organizations.require(caller, Permission.MANAGE_APPLICATIONS, *place)
    if application.device_count:
        if not with_devices:
            raise groups.ApplicationNotEmpty(devices=application.device_count)
        organizations.require(caller, Permission.MANAGE_DEVICES, *place)
        while gone := await store.registry.remove_of_application(tx, application_id, AT_ONCE):
            announce_removed(tx, gone)
    await groups.remove(tx, caller, application_id)


async def _require_taken_along(tx: Tx, organization_id: UUID, decoder_id: UUID) -> None:
    # A device that lost its decoder on the way would go on with readings nobody can use.
    try:
        await decoders.hold_usable(tx, organization_id, decoder_id)
    except decoders.DecoderUnknown as foreign:
        raise DecoderStays(id=decoder_id) from foreign


async def require_room(
    tx: Tx, owners: Mapping[UUID, UUID | None], coming: Mapping[UUID, int]
) -> None:
    """Check that more devices are within the quotas.

    Args:
        tx: the transaction.
        owners: the organisation of each application; None where it has the devices already.
        coming: how many devices come to each application.

    Raises:
        QuotaReached: they would be too many.
    """
    of_organization: Counter[UUID] = Counter()
    for application_id, more in coming.items():
        if (owner := owners[application_id]) is not None:
            of_organization[owner] += more
        most = await groups.quota(tx, application_id, Quota.DEVICES)
        if most is None:
            continue
        if await store.registry.count(tx, application_id=application_id) + more > most:
            raise QuotaReached(whose="application's", most=most, what="devices")
    for owner, more in of_organization.items():
        most = await organizations.quota(tx, owner, Quota.DEVICES)
        if most is None:
            continue
        if await store.registry.count(tx, organization_id=owner) + more > most:
            raise QuotaReached(whose="organization's", most=most, what="devices")


async def require_gateway(
    tx: Tx,
    caller: Caller,
    organization_id: UUID,
    device_id: UUID | None,
    gateway_id: UUID | None,
) -> None:
    """Refuse a gateway that is none, is elsewhere, or is the device itself. Raises GatewayUnfit."""
    if gateway_id is None:
        return
    try:
        gateway = await get(tx, caller, gateway_id)
    except DeviceUnknown as unknown:
        raise GatewayUnfit(id=gateway_id) from unknown
    if (
        gateway.kind is not DeviceKind.GATEWAY
        or gateway.organization_id != organization_id
        or gateway_id == device_id
    ):
        raise GatewayUnfit(id=gateway_id)


_UNTOLD = frozenset(
    {
        "id", "number", "connectivity", "last_seen_at", "silent_since", "photo_at",
        "created_at", "updated_at", "created_by", "updated_by",
    }
)  # fmt: skip


def view(device: Device) -> dict[str, Any]:
    """Give the fields that a fact tells."""
    return {name: value for name, value in asdict(device).items() if name not in _UNTOLD}


async def numbers_seen(tx: Tx, caller: Caller, wanted: DeviceFilter) -> dict[int, UUID]:
    """Give the numbers and ids of the devices the caller may see, for following what they send.

    Raises:
        ApplicationUnknown: the caller sees none of such an id.
    """
    for application_id in wanted.application_ids:
        await groups.get(tx, caller, application_id)
    wanted = replace(wanted, states=wanted.states or tuple(DeviceState))
    return await store.listing.numbers_seen(tx, caller.reach(Permission.READ_DEVICES), wanted)


async def list_named(
    tx: Tx,
    caller: Caller,
    *,
    device_ids: Collection[UUID] = (),
    application_id: UUID | None = None,
    organization_id: UUID | None = None,
    first: UUID | None = None,
    limit: int,
    at: datetime | None = None,
) -> list[Named]:
    """List devices the caller may see, by id, from the id `first` on; for questions about many.

    Raises:
        FieldInvalid, PastNotKept: nothing is known of the instant `at`.
        ApplicationUnknown.
        DeviceUnknown: one of `device_ids` is not there, or the caller may not see it.
    """
    seen = past.seen_by(caller)
    wanted = DeviceFilter(tuple(device_ids), organization_id, states=tuple(DeviceState), at=at)
    past.check(tx, wanted)
    if application_id is not None:
        await groups.get(tx, caller, application_id)
        wanted = replace(wanted, application_ids=(application_id,))
    if device_ids:
        among = DeviceFilter(wanted.ids, states=wanted.states, at=at)
        known = await store.listing.list_named(tx, seen, among, None, len(device_ids))
        if missing := set(device_ids) - {device.id for device in known}:
            raise DeviceUnknown(id=min(missing))
    return await store.listing.list_named(tx, seen, wanted, first, limit)


async def names_seen(
    tx: Tx,
    caller: Caller,
    numbers: Iterable[int],
    permission: Permission,
    application_id: UUID | None = None,
    organization_id: UUID | None = None,
) -> dict[int, tuple[UUID, str]]:
    """Give ids and names of those of `numbers` that the caller sees and holds `permission` for."""
    wanted = DeviceFilter(
        organization_id=organization_id,
        states=tuple(DeviceState),
        application_ids=() if application_id is None else (application_id,),
    )
    seen = caller.reach(Permission.READ_DEVICES), caller.reach(permission)
    return await store.listing.names_seen(tx, seen, numbers, wanted)


# --- Photos -----------------------------------------------------------------

MOST_PHOTO = 2_000_000
_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"RIFF", "image/webp"),
)


async def count_by_state(tx: Tx) -> dict[DeviceState, int]:
    """Count all devices by state; for operators."""
    return await store.listing.count_by_state(tx)


async def set_photo(tx: Tx, caller: Caller, device_id: UUID, content: bytes) -> None:
    """Keep a photo of a device; what it is, is read from its first bytes.

    Raises:
        DeviceUnknown, PermissionMissing, PhotoUnfit.
    """
    device = await get(tx, caller, device_id, Permission.MANAGE_DEVICES)
    kind = next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)
    if kind == "image/webp" and content[8:12] != b"WEBP":
        kind = None
    if kind is None or len(content) > MOST_PHOTO:
        raise PhotoUnfit(limit=MOST_PHOTO)
    await store.photos.put(tx, device_id, kind, content)
    told = {"photo": {"contentType": kind, "size": len(content)}}
    tx.announce(DeviceChanged(device_id, device.organization_id, after=told))


async def photo_of(tx: Tx, caller: Caller, device_id: UUID) -> tuple[str, bytes]:
    """Read a device's photo: its content type and bytes. Raises DeviceUnknown, PhotoUnknown."""
    await get(tx, caller, device_id)
    return await store.photos.get(tx, device_id)


async def remove_photo(tx: Tx, caller: Caller, device_id: UUID) -> None:
    """Remove a device's photo. Raises DeviceUnknown, PermissionMissing, PhotoUnknown."""
    device = await get(tx, caller, device_id, Permission.MANAGE_DEVICES)
    await store.photos.remove(tx, device_id)
    tx.announce(DeviceChanged(device_id, device.organization_id, after={"photo": None}))
