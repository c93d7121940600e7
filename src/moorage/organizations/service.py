"""The rules of organisations and of who may do what in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from moorage.kit import pages
from moorage.kit.caller import Caller, CallerKind, Grant, Reach
from moorage.kit.db import Tx, to_json
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference, merged

from . import store
from .errors import (
    ApplicationForeign,
    GrantTooWide,
    GroupInItself,
    InstallationOnly,
    LastAdmin,
    MemberForeign,
    MemberUnknown,
    OrganizationUnknown,
    PermissionGroupUnknown,
    PermissionMissing,
)
from .facts import (
    OrganizationChanged,
    OrganizationDissolved,
    OrganizationFounded,
    PermissionGranted,
    PermissionGroupChanged,
    PermissionGroupMade,
    PermissionGroupRemoved,
    PermissionRevoked,
)
from .model import (
    Given,
    Kept,
    Member,
    MemberKind,
    NewOrganization,
    NewPermissionGroup,
    Organization,
    Permission,
    PermissionGroup,
    Quota,
    Role,
    grants_of,
)

# Of one organisation's settings, as JSON; each list of organisations carries them.
MOST_SETTINGS_BYTES = 16_384
READY_MADE = (
    ("Readers", (Role.READ,)),
    ("Application administrators", (Role.APPLICATION_ADMIN, Role.READ)),
    (
        "Organization administrators",
        (Role.USER_ADMIN, Role.APPLICATION_ADMIN, Role.GATEWAY_ADMIN, Role.READ),
    ),
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


async def found(tx: Tx, caller: Caller, new: NewOrganization) -> Organization:
    """Found an organisation with its three ready-made permission groups.

    Raises:
        PermissionMissing: only a GlobalAdmin founds organisations.
        OrganizationNameTaken: the name is in use.
        FieldInvalid: the settings are too large.
    """
    require(caller, Permission.MANAGE_INSTALLATION, None)
    _check_settings(new.settings)
    organization = await store.add(tx, new)
    if new.quotas:
        await store.ring_for_quotas(tx)
    tx.announce(OrganizationFounded(organization.id, organization.id, after=asdict(new)))
    for name, roles in READY_MADE:
        group = await store.add_group(tx, NewPermissionGroup(organization.id, name, roles))
        tx.announce(PermissionGroupMade(group.id, organization.id, after=_group_view(group)))
    return organization


async def get(tx: Tx, caller: Caller, organization_id: UUID, *, lock: bool = False) -> Organization:
    """Read an organisation the caller belongs to. Raises OrganizationUnknown."""
    if not caller.belongs_to(organization_id):
        raise OrganizationUnknown(id=organization_id)
    return await store.get(tx, organization_id, lock=lock)


async def list_organizations(
    tx: Tx, caller: Caller, asked: pages.PageRequest, q: str | None = None
) -> pages.Page[Organization]:
    """List the organisations the caller belongs to."""
    everywhere = any(g.organization_id is None for g in caller.grants)
    ids = frozenset(g.organization_id for g in caller.grants if g.organization_id is not None)
    return await store.list_organizations(tx, Reach(everywhere, ids), asked, q)


async def change(
    tx: Tx, caller: Caller, organization_id: UUID, changes: Mapping[str, Any]
) -> Organization:
    """Change an organisation's fields; settings and quotas are merged, where None removes one.

    Quotas are for GlobalAdmins.

    Raises:
        OrganizationUnknown, PermissionMissing, OrganizationNameTaken.
        FieldInvalid: the settings are too large.
    """
    before = await get(tx, caller, organization_id, lock=True)
    require(caller, Permission.MANAGE_ORGANIZATION, organization_id)
    if "quotas" in changes:
        require(caller, Permission.MANAGE_INSTALLATION, None)
    for name in ("settings", "quotas"):
        if name in changes:
            changes = {**changes, name: merged(getattr(before, name), changes[name])}
    _check_settings(changes.get("settings", {}))
    after = await store.change(tx, organization_id, changes)
    if "quotas" in changes:
        await store.ring_for_quotas(tx)
    was, now = difference(asdict(before), {k: asdict(after)[k] for k in changes})
    tx.announce(OrganizationChanged(organization_id, organization_id, was, now))
    return after


async def quotas(tx: Tx) -> dict[UUID, Mapping[Quota, int]]:
    """Read the quotas of every organisation that has one; for doors."""
    return await store.quotas(tx)


async def quota(tx: Tx, organization_id: UUID, what: Quota) -> int | None:
    """Read a quota, held until the transaction ends so that two cannot use up the same rest."""
    return await store.quota(tx, organization_id, what)


async def ring_for_quotas(tx: Tx) -> None:
    """Tell the doors that a quota has changed."""
    await store.ring_for_quotas(tx)


async def dissolve(tx: Tx, caller: Caller, organization_id: UUID) -> None:
    """Remove an organisation that owns nothing any more.

    Raises:
        OrganizationUnknown, PermissionMissing, OrganizationInUse.
    """
    before = await get(tx, caller, organization_id)
    require(caller, Permission.MANAGE_INSTALLATION, None)
    await store.remove(tx, organization_id)
    tx.announce(
        OrganizationDissolved(organization_id, organization_id, before={"name": before.name})
    )


# --- Permission groups ----------------------------------------------------


async def make_group(tx: Tx, caller: Caller, new: NewPermissionGroup) -> PermissionGroup:
    """Make a permission group that holds no more than the caller holds.

    Raises:
        OrganizationUnknown, PermissionMissing, GrantTooWide, PermissionGroupNameTaken,
        ApplicationForeign, FieldInvalid.
    """
    if new.organization_id is not None:
        await get(tx, caller, new.organization_id)
    if not _shares(caller, new):
        require(caller, Permission.MANAGE_USERS, new.organization_id)
    _check_scope(new)
    _refuse_wider(caller, grants_of(new))
    await _refuse_foreign(tx, new.organization_id, new.application_ids)
    group = await store.add_group(tx, new)
    tx.announce(PermissionGroupMade(group.id, group.organization_id, after=_group_view(group)))
    return group


async def periods(tx: Tx, what: Kept) -> dict[UUID, timedelta]:
    """Tell how long something is kept, of the organisations that say so; for schedules only."""
    return await store.periods(tx, what)


async def time_zones(tx: Tx) -> dict[UUID, ZoneInfo]:
    """Tell the time zone of every organisation; for schedules only."""
    return {id_: ZoneInfo(name) for id_, name in (await store.time_zones(tx)).items()}


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
    await _require_hand(tx, caller, before)
    if not _shares(caller, replace(before, **changes)):
        require(caller, Permission.MANAGE_USERS, before.organization_id)
    _refuse_wider(caller, before.grants())
    _check_scope(replace(before, **changes))
    _refuse_wider(caller, replace(before, **changes).grants())
    await _refuse_foreign(tx, before.organization_id, changes.get("application_ids", ()))
    after = await store.change_group(tx, group_id, changes)
    if before.organization_id is None:
        await refuse_without_admin(tx)
    was, now = difference(_group_view(before), _group_view(after))
    tx.announce(PermissionGroupChanged(group_id, before.organization_id, was, now))
    return after


async def remove_group(tx: Tx, caller: Caller, group_id: UUID) -> None:
    """Remove a permission group; its members lose what it gave.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide, LastAdmin.
    """
    group = await get_group(tx, caller, group_id)
    await _require_hand(tx, caller, group)
    await store.remove_group(tx, group_id)
    if group.organization_id is None:
        await refuse_without_admin(tx)
    tx.announce(PermissionGroupRemoved(group_id, group.organization_id, before=_group_view(group)))


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
    await _require_hand(tx, caller, group)
    for held in await store.given_by(tx, group_id):
        _refuse_wider(caller, grants_of(held))
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
        _refuse_wider(caller, grants_of(held))
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
    await _require_hand(tx, caller, group)
    await _take_out(tx, group, Member(kind, member_id))


async def end_members(tx: Tx) -> None:
    """Take out everybody whose time is up; for the schedule, so that open connections hear of it.

    What is asked meanwhile is refused already.
    """
    for group_id, organization_id, member in await store.end_members(tx):
        tx.announce(PermissionRevoked(group_id, organization_id, before=_member_view(member)))


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
        tx.announce(PermissionGroupMade(group.id, None, after=_group_view(group)))
    await _take_in(tx, group, Member(MemberKind.USER, user_id))


async def refuse_without_admin(tx: Tx) -> None:
    """Refuse what leaves nobody to administer the installation; asked after the change.

    Raises:
        LastAdmin: nobody with an open account is left.
    """
    if await store.count_global_admins(tx) == 0:
        raise LastAdmin


async def take_in_application(tx: Tx, organization_id: UUID, application_id: UUID) -> None:
    """Put a new application into the permission groups that add new ones automatically."""
    await store.add_application_where_wanted(tx, organization_id, application_id)


async def hand_over_application(tx: Tx, organization_id: UUID, application_id: UUID) -> None:
    """Take a moved application out of its old organisation's groups, into the new one's."""
    await store.remove_application(tx, application_id)
    await store.add_application_where_wanted(tx, organization_id, application_id)


async def _take_in(tx: Tx, group: PermissionGroup, member: Member, *, keep: bool = False) -> bool:
    if new := await store.add_member(tx, group.id, member, keep=keep):
        after = _member_view(member)
        tx.announce(PermissionGranted(group.id, group.organization_id, after=after))
    return new


async def _take_out(tx: Tx, group: PermissionGroup, member: Member) -> None:
    if await store.remove_member(tx, group.id, member.kind, member.id):
        if group.organization_id is None:
            await refuse_without_admin(tx)
        before = _member_view(member)
        tx.announce(PermissionRevoked(group.id, group.organization_id, before=before))


def _member_view(member: Member) -> dict[str, Any]:
    view = {"kind": member.kind.value, "id": str(member.id)}
    return view if member.until is None else {**view, "until": member.until}


def _shares(caller: Caller, group: PermissionGroup | NewPermissionGroup) -> bool:
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


async def _require_hand(tx: Tx, caller: Caller, group: PermissionGroup) -> None:
    """Refuse unless the caller administers the users, or the group shares what they manage.

    Of the latter nothing may exceed them, through whatever groups: what they cannot give they
    cannot take either.

    Raises:
        PermissionMissing, GrantTooWide.
    """
    if may(caller, Permission.MANAGE_USERS, group.organization_id):
        return
    if not _shares(caller, group):
        require(caller, Permission.MANAGE_USERS, group.organization_id)
    for held in await store.given_by(tx, group.id):
        _refuse_wider(caller, grants_of(held))


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


def _refuse_wider(caller: Caller, wanted: tuple[Grant, ...]) -> None:
    if (permission := wider(caller, wanted)) is not None:
        raise GrantTooWide(permission=permission)


def _check_settings(settings: Mapping[str, Any]) -> None:
    if (size := len(to_json(settings).encode())) > MOST_SETTINGS_BYTES:
        raise FieldInvalid(
            "/settings",
            f"would be {size} bytes of JSON; at most {MOST_SETTINGS_BYTES} are kept.",
        )


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


def _group_view(group: PermissionGroup) -> dict[str, Any]:
    view = asdict(group)
    for key in ("created_at", "updated_at", "created_by", "updated_by", "member_count"):
        view.pop(key)
    return view
