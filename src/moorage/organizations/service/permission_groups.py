"""The rules of permission groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference

from .. import store
from ..errors import (
    ApplicationForeign,
    PermissionGroupUnknown,
)
from ..facts import (
    PermissionGroupChanged,
    PermissionGroupMade,
    PermissionGroupRemoved,
    group_view,
)
from ..model import (
    NewPermissionGroup,
    Permission,
    PermissionGroup,
    grants_of,
)
from . import organizations
from .rights import refuse_wider, refuse_without_admin, require, require_hand, shares


async def make_group(tx: Tx, caller: Caller, new: NewPermissionGroup) -> PermissionGroup:
    """Make a permission group that holds no more than the caller holds.

    Raises:
        OrganizationUnknown, PermissionMissing, GrantTooWide, PermissionGroupNameTaken,
        ApplicationForeign, FieldInvalid.
    """
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    if not shares(caller, new):
        require(caller, Permission.MANAGE_USERS, new.organization_id)
    _check_scope(new)
    refuse_wider(caller, grants_of(new))
    await _refuse_foreign(tx, new.organization_id, new.application_ids)
    group = await store.add_group(tx, new)
    tx.announce(PermissionGroupMade(group.id, group.organization_id, after=group_view(group)))
    return group


async def get_group(
    tx: Tx, caller: Caller, group_id: UUID, *, lock: bool = False
) -> PermissionGroup:
    """Read a permission group. Raises PermissionGroupUnknown."""
    group = await store.get_group(tx, group_id, lock=lock)
    if not caller.may(Permission.READ_USERS, group.organization_id):
        raise PermissionGroupUnknown(id=group_id)
    return group


async def list_groups(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    member_id: UUID | None = None,
) -> pages.Page[PermissionGroup]:
    """List the permission groups the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_groups(
        tx, seen, asked, organization_id=organization_id, member_id=member_id
    )


async def change_group(
    tx: Tx, caller: Caller, group_id: UUID, changes: Mapping[str, Any]
) -> PermissionGroup:
    """Change a permission group; neither before nor after may it exceed the caller.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide, PermissionGroupNameTaken,
        ApplicationForeign, FieldInvalid, LastAdmin.
    """
    before = await get_group(tx, caller, group_id)
    await require_hand(tx, caller, before)
    if not shares(caller, replace(before, **changes)):
        require(caller, Permission.MANAGE_USERS, before.organization_id)
    refuse_wider(caller, before.grants())
    _check_scope(replace(before, **changes))
    refuse_wider(caller, replace(before, **changes).grants())
    await _refuse_foreign(tx, before.organization_id, changes.get("application_ids", ()))
    after = await store.change_group(tx, group_id, changes)
    if before.organization_id is None:
        await refuse_without_admin(tx)
    was, now = difference(group_view(before), group_view(after))
    tx.announce(PermissionGroupChanged(group_id, before.organization_id, was, now))
    return after


async def remove_group(tx: Tx, caller: Caller, group_id: UUID) -> None:
    """Remove a permission group; its members lose what it gave.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide, LastAdmin.
    """
    group = await get_group(tx, caller, group_id)
    await require_hand(tx, caller, group)
    await store.remove_group(tx, group_id)
    if group.organization_id is None:
        await refuse_without_admin(tx)
    tx.announce(PermissionGroupRemoved(group_id, group.organization_id, before=group_view(group)))


async def take_in_application(tx: Tx, organization_id: UUID, application_id: UUID) -> None:
    """Put a new application into the permission groups that add new ones automatically."""
    await store.add_application_where_wanted(tx, organization_id, application_id)


async def hand_over_application(tx: Tx, organization_id: UUID, application_id: UUID) -> None:
    """Take a moved application out of its old organisation's groups, into the new one's."""
    await store.remove_application(tx, application_id)
    await store.add_application_where_wanted(tx, organization_id, application_id)


def _check_scope(group: PermissionGroup | NewPermissionGroup) -> None:
    if group.organization_id is None and not group.every_application:
        raise FieldInvalid(
            "/everyApplication",
            "must be true without an organization: applications belong to organizations.",
        )
    if group.own_devices and (
        group.every_application or group.add_new_applications or group.application_ids
    ):
        raise FieldInvalid(
            "/ownDevices", "leaves no room for applications: it is about one's own devices alone."
        )


async def _refuse_foreign(
    tx: Tx, organization_id: UUID | None, application_ids: tuple[UUID, ...]
) -> None:
    if foreign := await store.foreign_applications(tx, organization_id, application_ids):
        raise ApplicationForeign(id=foreign[0])
