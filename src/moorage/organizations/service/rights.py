"""The rules of who may do what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid

from .. import store
from ..errors import (
    GrantTooWide,
    InstallationOnly,
    LastAdmin,
    OrganizationUnknown,
    PermissionMissing,
)
from ..model import (
    Given,
    MemberKind,
    NewPermissionGroup,
    Permission,
    PermissionGroup,
    grants_of,
)


def require(
    caller: Caller,
    permission: Permission,
    organization_id: UUID | None,
    application_id: UUID | None = None,
    owner_id: UUID | None = None,
) -> None:
    """Refuse unless the caller holds `permission` there: the one permission check.

    Of a device, `owner_id` is whose it is.

    Raises:
        PermissionMissing: it is not held.
        InstallationOnly: the whole installation is meant, and it is not held for that.
    """
    if not caller.may(permission, organization_id, application_id, owner_id):
        missing = PermissionMissing if organization_id is not None else InstallationOnly
        refused = missing(permission=permission.value)
        refused.organization_id = organization_id
        raise refused


def may(
    caller: Caller,
    permission: Permission,
    organization_id: UUID | None,
    application_id: UUID | None = None,
    owner_id: UUID | None = None,
) -> bool:
    """Tell whether `require` would pass."""
    return caller.may(permission, organization_id, application_id, owner_id)


async def grants_held(
    tx: Tx, kind: MemberKind, member_id: UUID, *, proven: bool = True
) -> tuple[Grant, ...]:
    """Gather what a member holds; for recognising callers only.

    Args:
        tx: the transaction.
        kind: person or key.
        member_id: whose.
        proven: whether they have shown a second factor; without, what organisations give only to
            those who have is left out.
    """
    held = await store.held_by(tx, kind, member_id)
    return tuple(g for one in held if proven or not one.is_withheld for g in grants_of(one))


async def withheld(tx: Tx, user_id: UUID) -> frozenset[UUID | None]:
    """Tell which organisations give a person more once they have shown a second factor.

    None stands for the installation.
    """
    held = await store.held_by(tx, MemberKind.USER, user_id)
    return frozenset(one.organization_id for one in held if one.is_withheld)


async def given_at(
    tx: Tx,
    caller: Caller,
    organization_id: UUID,
    application_id: UUID | None = None,
    owner_id: UUID | None = None,
) -> list[Given]:
    """Tell what each permission group gives its members in an application, or beside them all.

    With `owner_id`, for a device there that is theirs. It is asked of the check that every request
    passes, so it cannot differ from it. Groups that give nothing there are left out.

    Raises:
        OrganizationUnknown, PermissionMissing.
        FieldInvalid: the application is not one of the organisation.
    """
    if not caller.belongs_to(organization_id):
        raise OrganizationUnknown(id=organization_id)
    require(caller, Permission.READ_USERS, organization_id)
    if application_id and await store.foreign_applications(tx, organization_id, [application_id]):
        raise FieldInvalid("/applicationId", "is not an application of this organization.")
    found = await store.groups_at(tx, organization_id, application_id)
    place = organization_id, application_id, owner_id
    own: dict[UUID, frozenset[Permission]] = {}
    of_owner = own if owner_id is None else {}
    for group_id, group in found:
        for who, held in ((group_id, own), (owner_id, of_owner)):
            if who is not None:
                member = Caller(CallerKind.PERSON, who, group.name, grants_of(group))
                held[group_id] = frozenset(p for p in Permission if may(member, p, *place))
    above: dict[UUID, dict[UUID, datetime | None]] = {group_id: {} for group_id in own}
    for group_id, inner in await store.groups_within(tx, organization_id):
        above[inner.id][group_id] = inner.until
    given = [
        Given(
            group_id, group.organization_id, group.name, group.roles, own[group_id],
            given_through([group_id], own, above),
            of_owner[group_id], given_through([group_id], of_owner, above), above[group_id],
        )
        for group_id, group in found
    ]  # fmt: skip
    return [one for one in given if one.permissions_of_owner]


def given_through(
    group_ids: Iterable[UUID],
    own: Mapping[UUID, frozenset[Permission]],
    above: Mapping[UUID, Iterable[UUID]],
    *,
    but: UUID | None = None,
) -> frozenset[Permission]:
    """Unite what groups give, and those they are in, as if there were no group `but`."""
    waiting, seen = list(group_ids), {but}
    held: set[Permission] = set()
    while waiting:
        group_id = waiting.pop()
        if group_id not in seen:
            seen.add(group_id)
            held |= own.get(group_id, frozenset())
            waiting += above.get(group_id, ())
    return frozenset(held)


def wider(caller: Caller, wanted: Iterable[Grant]) -> str | None:
    """Name a permission of these grants that the caller does not hold as far, if there is one.

    Somebody's own devices may be any of the organisation, so it takes all of that.
    """
    for wish in wanted:
        for permission in wish.permissions:
            reach = caller.reach(permission)
            if reach.everywhere or wish.organization_id in reach.organization_ids:
                continue
            listed = None if wish.own else wish.application_ids
            if listed is None or not listed <= reach.application_ids:
                return permission
    return None


async def refuse_without_admin(tx: Tx) -> None:
    """Refuse what leaves nobody to administer the installation; asked after the change.

    Raises:
        LastAdmin: nobody with an open account is left.
    """
    if await store.count_global_admins(tx) == 0:
        raise LastAdmin


def refuse_wider(caller: Caller, wanted: tuple[Grant, ...]) -> None:
    if (permission := wider(caller, wanted)) is not None:
        raise GrantTooWide(permission=permission)


def shares(caller: Caller, group: PermissionGroup | NewPermissionGroup) -> bool:
    """Tell whether a group only shares applications that the caller manages, with whom they see."""
    home = group.organization_id
    return (
        home is not None
        and not group.own_devices
        and not group.every_application
        and not group.add_new_applications
        and bool(group.application_ids)
        and may(caller, Permission.READ_USERS, home)
        and all(may(caller, Permission.MANAGE_APPLICATIONS, home, a) for a in group.application_ids)
    )


async def require_hand(tx: Tx, caller: Caller, group: PermissionGroup) -> None:
    """Refuse unless the caller administers the users, or the group shares what they manage.

    Of the latter nothing may exceed them, through whatever groups: what they cannot give they
    cannot take either.

    Raises:
        PermissionMissing, GrantTooWide.
    """
    if may(caller, Permission.MANAGE_USERS, group.organization_id):
        return
    if not shares(caller, group):
        require(caller, Permission.MANAGE_USERS, group.organization_id)
    for held in await store.given_by(tx, group.id):
        refuse_wider(caller, grants_of(held))
