"""The rules of who is in which permission group."""

from __future__ import annotations

from uuid import UUID

from moorage.kit import pages
from moorage.kit.caller import Caller, Reach
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid

from .. import store
from ..errors import (
    GroupInItself,
    MemberForeign,
    MemberUnknown,
    PermissionGroupUnknown,
)
from ..facts import (
    PermissionGranted,
    PermissionGroupMade,
    PermissionRevoked,
    group_view,
    member_view,
)
from ..model import (
    Member,
    MemberKind,
    NewPermissionGroup,
    Permission,
    PermissionGroup,
    Role,
    grants_of,
)
from .permission_groups import get_group
from .rights import may, refuse_wider, refuse_without_admin, require, require_hand


async def members_of(tx: Tx, caller: Caller, group_id: UUID) -> list[Member]:
    """List who is in a permission group. Raises PermissionGroupUnknown."""
    await get_group(tx, caller, group_id)
    return await store.members_of(tx, group_id)


async def add_member(tx: Tx, caller: Caller, group_id: UUID, member: Member) -> None:
    """Put a user, program or group that the caller sees into a permission group.

    Who is in it already stays until the time given now.

    Raises:
        PermissionGroupUnknown, MemberUnknown, PermissionMissing, GrantTooWide, LastAdmin.
        MemberForeign: the person is not in this organisation yet, and has another one that the
            caller does not administer the users of: they have to be asked.
        GroupInItself: it would be.
        FieldInvalid: the time is past.
    """
    group = await get_group(tx, caller, group_id)
    if member.until is not None and member.until <= tx.now:
        raise FieldInvalid("/until", "must lie in the future.")
    seen = caller.reach(Permission.READ_USERS)
    if not await store.member_is_seen(tx, member.kind, member.id, seen):
        raise MemberUnknown(kind=member.kind.value, id=member.id)
    if member.kind is MemberKind.USER:
        homes = await store.homes_of(tx, member.id)
        if group.organization_id not in homes and not all(
            may(caller, Permission.MANAGE_USERS, home) for home in homes
        ):
            raise MemberForeign
    if member.kind is MemberKind.GROUP:
        inner = await get_group(tx, caller, member.id)
        if group.organization_id is None or inner.organization_id != group.organization_id:
            raise MemberUnknown(kind=member.kind.value, id=member.id)
        if await store.is_within(tx, group_id, member.id):
            raise GroupInItself
    await require_hand(tx, caller, group)
    for held in await store.given_by(tx, group_id):
        refuse_wider(caller, grants_of(held))
    await _take_in(tx, group, member)
    if group.organization_id is None and member.until is not None:
        await refuse_without_admin(tx)


async def grant(tx: Tx, caller: Caller, group_id: UUID, kind: MemberKind, member_id: UUID) -> None:
    """Put a member into a permission group; the one who calls knows that it may be named.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide.
    """
    group = await givable(tx, caller, group_id)
    await _take_in(tx, group, Member(kind, member_id))


async def givable(tx: Tx, caller: Caller, group_id: UUID) -> PermissionGroup:
    """Read a permission group that the caller may put members into.

    What it gives through the groups it is in counts too.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide.
    """
    group = await get_group(tx, caller, group_id)
    require(caller, Permission.MANAGE_USERS, group.organization_id)
    for held in await store.given_by(tx, group_id):
        refuse_wider(caller, grants_of(held))
    return group


async def admit(tx: Tx, group_id: UUID, user_id: UUID) -> None:
    """Put a user into a group that was `givable` to the one who invited them.

    Raises:
        PermissionGroupUnknown: it is gone.
    """
    group = await store.get_group(tx, group_id, lock=True)
    await _take_in(tx, group, Member(MemberKind.USER, user_id))


async def enter(tx: Tx, group_id: UUID, user_id: UUID) -> bool:
    """Put a user into a group that was `givable` to who mapped it; tell whether it was new.

    Raises:
        PermissionGroupUnknown: it is gone.
    """
    group = await store.get_group(tx, group_id, lock=True)
    return await _take_in(tx, group, Member(MemberKind.USER, user_id), keep=True)


async def leave(tx: Tx, group_id: UUID, user_id: UUID) -> None:
    """Take a user out of a group that a mapping put them into. Raises LastAdmin."""
    try:
        group = await store.get_group(tx, group_id)
    except PermissionGroupUnknown:
        return
    await _take_out(tx, group, Member(MemberKind.USER, user_id))


async def homes_of(tx: Tx, user_id: UUID) -> list[UUID | None]:
    """List the organisations a user is a member of; None stands for the installation."""
    return await store.homes_of(tx, user_id)


async def revoke(tx: Tx, caller: Caller, group_id: UUID, kind: MemberKind, member_id: UUID) -> None:
    """Take a member out of a permission group.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide, LastAdmin.
    """
    group = await get_group(tx, caller, group_id)
    await require_hand(tx, caller, group)
    await _take_out(tx, group, Member(kind, member_id))


async def end_members(tx: Tx) -> None:
    """Take out everybody whose time is up; for the schedule, so that open connections hear of it.

    What is asked meanwhile is refused already.
    """
    for group_id, organization_id, member in await store.end_members(tx):
        tx.announce(PermissionRevoked(group_id, organization_id, before=member_view(member)))


async def make_first_admin(tx: Tx, user_id: UUID) -> None:
    """Make the user of a new installation its GlobalAdmin; for the command line only."""
    groups = await store.list_groups(tx, Reach(everywhere=True), pages.PageRequest(limit=500))
    group = next(
        (g for g in groups.items if g.organization_id is None and Role.GLOBAL_ADMIN in g.roles),
        None,
    )
    if group is None:
        group = await store.add_group(
            tx, NewPermissionGroup(None, "Global administrators", (Role.GLOBAL_ADMIN,))
        )
        tx.announce(PermissionGroupMade(group.id, None, after=group_view(group)))
    await _take_in(tx, group, Member(MemberKind.USER, user_id))


async def _take_in(tx: Tx, group: PermissionGroup, member: Member, *, keep: bool = False) -> bool:
    if new := await store.add_member(tx, group.id, member, keep=keep):
        after = member_view(member)
        tx.announce(PermissionGranted(group.id, group.organization_id, after=after))
    return new


async def _take_out(tx: Tx, group: PermissionGroup, member: Member) -> None:
    if await store.remove_member(tx, group.id, member.kind, member.id):
        if group.organization_id is None:
            await refuse_without_admin(tx)
        before = member_view(member)
        tx.announce(PermissionRevoked(group.id, group.organization_id, before=before))
