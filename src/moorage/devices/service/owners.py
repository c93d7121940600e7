"""Whose a device is: who may do with it what permission groups give for one's own devices."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from moorage import organizations
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.organizations import GrantTooWide, MemberKind, Permission

from .. import store
from ..facts import DeviceOwnerChanged
from ..model import Device
from . import registry


async def give(tx: Tx, caller: Caller, device_id: UUID, user_id: UUID | None) -> Device:
    """Make a device somebody's, or nobody's any more.

    Raises:
        DeviceUnknown, PermissionMissing.
        FieldInvalid: the person is not in the organisation.
        GrantTooWide: they could do more with it than the caller can.
    """
    before = await registry.get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    if user_id == before.owner_id:
        return before
    if user_id is not None:
        await _require_givable(tx, caller, before, user_id)
    await store.registry.change(tx, before, replace(before, owner_id=user_id))
    was, now = {"ownerId": before.owner_id}, {"ownerId": user_id}
    tx.announce(DeviceOwnerChanged(device_id, before.organization_id, was, now))
    return await store.registry.get(tx, device_id)


async def _require_givable(tx: Tx, caller: Caller, device: Device, user_id: UUID) -> None:
    home = device.organization_id
    if home not in await organizations.homes_of(tx, user_id):
        raise FieldInvalid("/userId", "is nobody who is in the device's organization.")
    for grant in await organizations.grants_held(tx, MemberKind.USER, user_id):
        if grant.own and grant.organization_id == home:
            for permission in sorted(grant.permissions):
                if not caller.may(permission, *device.scope):
                    raise GrantTooWide(permission=permission)


async def places_of_own(
    tx: Tx, caller: Caller, permission: Permission
) -> frozenset[tuple[UUID, UUID]]:
    """Give application and id of the caller's own devices that they hold `permission` for."""
    return frozenset(await store.owners.places_of_own(tx, caller.reach(permission)))
