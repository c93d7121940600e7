"""The only SQL about organisations and permission groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ScalarSelect,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    delete,
    func,
    or_,
    select,
    table,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from .errors import (
    OrganizationInUse,
    OrganizationNameTaken,
    OrganizationUnknown,
    PermissionGroupNameTaken,
    PermissionGroupUnknown,
)
from .model import (
    QUOTAS_CHANNEL,
    Contact,
    Held,
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
    SecondFactor,
    read_quotas,
)
from .tables import (
    organizations,
    permission_group_applications,
    permission_group_members,
    permission_groups,
)


def _organization(row: Any) -> Organization:
    values = {c.name: getattr(row, c.name) for c in organizations.c}
    values["contacts"] = tuple(Contact(**c) for c in values["contacts"])
    values["second_factor"] = SecondFactor(row.second_factor)
    return Organization(**values)


async def add(tx: Tx, new: NewOrganization) -> Organization:
    """Insert `new`. Raises OrganizationNameTaken."""
    row = (
        await tx.execute(
            insert(organizations)
            .values(id=uuid7(), **asdict(new), **tx.stamp())
            .on_conflict_do_nothing(index_elements=[func.lower(organizations.c.name)])
            .returning(organizations)
        )
    ).one_or_none()
    if row is None:
        raise OrganizationNameTaken(name=new.name)
    return _organization(row)


async def get(tx: Tx, organization_id: UUID, *, lock: bool = False) -> Organization:
    """Read one. Raises OrganizationUnknown."""
    query = select(organizations).where(organizations.c.id == organization_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise OrganizationUnknown(id=organization_id)
    return _organization(row)


async def list_organizations(
    tx: Tx, seen: Reach, asked: pages.PageRequest, q: str | None
) -> pages.Page[Organization]:
    """Read a page of what `seen` allows."""
    query = select(organizations)
    if not seen.everywhere:
        query = query.where(organizations.c.id.in_(seen.organization_ids))
    if q:
        query = query.where(organizations.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"name": func.lower(organizations.c.name), "createdAt": organizations.c.created_at},
        default="name",
        key=organizations.c.id,
        read=_organization,
    )


async def quotas(tx: Tx) -> dict[UUID, Mapping[Quota, int]]:
    """Read the quotas of every organisation that has one."""
    query = select(organizations.c.id, organizations.c.quotas).where(
        organizations.c.quotas != cast({}, JSONB)
    )
    return {row.id: read_quotas(row.quotas) for row in await tx.execute(query)}


async def quota(tx: Tx, organization_id: UUID, what: Quota) -> int | None:
    """Read a quota; if there is one, the row is locked."""
    query = select(organizations.c.quotas).where(
        organizations.c.id == organization_id, organizations.c.quotas.has_key(what.value)
    )
    found = (await tx.execute(query.with_for_update())).scalar_one_or_none()
    return None if found is None else found[what.value]


async def ring_for_quotas(tx: Tx) -> None:
    """Ring the doorbell of quotas."""
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": QUOTAS_CHANNEL})


async def change(tx: Tx, organization_id: UUID, changes: Mapping[str, Any]) -> Organization:
    """Change fields. Raises OrganizationUnknown, OrganizationNameTaken."""
    statement = (
        update(organizations)
        .where(organizations.c.id == organization_id)
        .values(**changes, **tx.restamp())
        .returning(organizations)
    )
    try:
        async with tx.connection.begin_nested():
            row = (await tx.execute(statement)).one_or_none()
    except IntegrityError as taken:
        raise OrganizationNameTaken(name=changes.get("name")) from taken
    if row is None:
        raise OrganizationUnknown(id=organization_id)
    return _organization(row)


async def remove(tx: Tx, organization_id: UUID) -> None:
    """Delete one that owns nothing. Raises OrganizationInUse."""
    try:
        async with tx.connection.begin_nested():
            await tx.execute(delete(organizations).where(organizations.c.id == organization_id))
    except IntegrityError as used:
        # The table that still refers to it; an application is a row of `groups`.
        found = getattr(getattr(used.orig, "diag", None), "table_name", None) or "things"
        raise OrganizationInUse(what=found.replace("groups", "applications")) from used


# --- Permission groups ----------------------------------------------------


def _groups() -> Select[Any]:
    applications = (
        select(func.array_agg(permission_group_applications.c.application_id))
        .where(permission_group_applications.c.permission_group_id == permission_groups.c.id)
        .correlate(permission_groups)
        .scalar_subquery()
        .label("application_ids")
    )
    members = (
        select(func.count())
        .where(permission_group_members.c.permission_group_id == permission_groups.c.id)
        .correlate(permission_groups)
        .scalar_subquery()
        .label("member_count")
    )
    return select(permission_groups, applications, members)


def _group(row: Any) -> PermissionGroup:
    values = {c.name: getattr(row, c.name) for c in permission_groups.c}
    values["roles"] = tuple(Role(r) for r in row.roles)
    values["permissions"] = tuple(Permission(p) for p in row.permissions)
    return PermissionGroup(
        **values,
        application_ids=tuple(row.application_ids or ()),
        member_count=row.member_count,
    )


async def add_group(tx: Tx, new: NewPermissionGroup) -> PermissionGroup:
    """Insert a group with its applications. Raises PermissionGroupNameTaken."""
    values = asdict(new)
    application_ids = values.pop("application_ids")
    group_id = (
        await tx.execute(
            insert(permission_groups)
            .values(id=uuid7(), **values, **tx.stamp())
            .on_conflict_do_nothing()
            .returning(permission_groups.c.id)
        )
    ).scalar_one_or_none()
    if group_id is None:
        raise PermissionGroupNameTaken(name=new.name)
    await set_applications(tx, group_id, application_ids)
    return await get_group(tx, group_id)


async def periods(tx: Tx, what: Kept) -> dict[UUID, timedelta]:
    """Read how long something is kept, of the organisations that say so."""
    own = organizations.c[what.value]
    query = select(organizations.c.id, own.label("keep")).where(own.is_not(None))
    return {row.id: row.keep for row in await tx.execute(query)}


async def time_zones(tx: Tx) -> dict[UUID, str]:
    """Read the time zone of every organisation."""
    rows = await tx.execute(select(organizations.c.id, organizations.c.time_zone))
    return {row.id: row.time_zone for row in rows}


async def get_group(tx: Tx, group_id: UUID, *, lock: bool = False) -> PermissionGroup:
    """Read one. Raises PermissionGroupUnknown."""
    query = _groups().where(permission_groups.c.id == group_id)
    if lock:
        query = query.with_for_update(of=permission_groups)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise PermissionGroupUnknown(id=group_id)
    return _group(row)


async def groups_at(
    tx: Tx, organization_id: UUID, application_id: UUID | None
) -> list[tuple[UUID, NewPermissionGroup]]:
    """Read the groups of an organisation and of the installation, by name.

    Of the applications of a group only the one asked for is told, if it is among them.
    """
    listed = (
        select(permission_group_applications.c.application_id)
        .where(
            permission_group_applications.c.permission_group_id == permission_groups.c.id,
            permission_group_applications.c.application_id == application_id,
        )
        .exists()
    )
    rows = await tx.execute(
        select(permission_groups, listed.label("listed"))
        .where(
            or_(
                permission_groups.c.organization_id == organization_id,
                permission_groups.c.organization_id.is_(None),
            )
        )
        .order_by(func.lower(permission_groups.c.name), permission_groups.c.id)
    )
    return [
        (
            row.id,
            NewPermissionGroup(
                row.organization_id,
                row.name,
                tuple(Role(r) for r in row.roles),
                tuple(Permission(p) for p in row.permissions),
                row.every_application,
                own_devices=row.own_devices,
                application_ids=(application_id,) if application_id and row.listed else (),
            ),
        )
        for row in rows
    ]


async def list_groups(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    member_id: UUID | None = None,
) -> pages.Page[PermissionGroup]:
    """Read a page of what `seen` allows."""
    query = _groups()
    if not seen.everywhere:
        query = query.where(permission_groups.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(permission_groups.c.organization_id == organization_id)
    if member_id is not None:
        query = query.where(
            permission_groups.c.id.in_(
                select(permission_group_members.c.permission_group_id).where(
                    permission_group_members.c.member_id == member_id
                )
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(permission_groups.c.name),
            "createdAt": permission_groups.c.created_at,
        },
        default="name",
        key=permission_groups.c.id,
        read=_group,
    )


async def change_group(tx: Tx, group_id: UUID, changes: Mapping[str, Any]) -> PermissionGroup:
    """Change fields and applications. Raises PermissionGroupUnknown, PermissionGroupNameTaken."""
    values = dict(changes)
    application_ids = values.pop("application_ids", None)
    statement = (
        update(permission_groups)
        .where(permission_groups.c.id == group_id)
        .values(**values, **tx.restamp())
    )
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as taken:
        raise PermissionGroupNameTaken(name=values.get("name")) from taken
    if application_ids is not None:
        await tx.execute(
            delete(permission_group_applications).where(
                permission_group_applications.c.permission_group_id == group_id
            )
        )
        await set_applications(tx, group_id, application_ids)
    return await get_group(tx, group_id)


async def remove_group(tx: Tx, group_id: UUID) -> None:
    """Delete one with its memberships, and out of the groups it was in."""
    await tx.execute(
        delete(permission_group_members).where(
            permission_group_members.c.kind == MemberKind.GROUP.value,
            permission_group_members.c.member_id == group_id,
        )
    )
    await tx.execute(delete(permission_groups).where(permission_groups.c.id == group_id))


async def set_applications(tx: Tx, group_id: UUID, application_ids: Iterable[UUID]) -> None:
    """Put applications into a group's scope."""
    rows = [{"permission_group_id": group_id, "application_id": a} for a in application_ids]
    if rows:
        await tx.execute(
            insert(permission_group_applications).values(rows).on_conflict_do_nothing()
        )


async def add_application_where_wanted(tx: Tx, organization_id: UUID, application_id: UUID) -> None:
    """Put a new application into every group that takes new ones by itself."""
    await tx.execute(
        insert(permission_group_applications).from_select(
            ["permission_group_id", "application_id"],
            select(permission_groups.c.id, cast(application_id, Uuid))
            .where(permission_groups.c.organization_id == organization_id)
            .where(permission_groups.c.add_new_applications.is_(true()))
            .where(permission_groups.c.every_application.is_not(true())),
        )
    )


async def remove_application(tx: Tx, application_id: UUID) -> None:
    """Take an application out of every group's scope."""
    await tx.execute(
        delete(permission_group_applications).where(
            permission_group_applications.c.application_id == application_id
        )
    )


# --- Members --------------------------------------------------------------


async def add_member(tx: Tx, group_id: UUID, member: Member, *, keep: bool = False) -> bool:
    """Put a member in, or have their membership end at another time; tell whether it was new to us.

    With `keep` a membership that is there stays as it is.
    """
    put = insert(permission_group_members).values(
        permission_group_id=group_id,
        kind=member.kind.value,
        member_id=member.id,
        until=member.until,
    )
    if keep:
        put = put.on_conflict_do_nothing()
    else:
        put = put.on_conflict_do_update(
            constraint=permission_group_members.primary_key,
            set_={"until": put.excluded.until},
            where=permission_group_members.c.until.is_distinct_from(put.excluded.until),
        )
    # The driver's count is not kept for an INSERT.
    result = await tx.execute(put.returning(permission_group_members.c.member_id))
    return result.first() is not None


async def end_members(tx: Tx) -> list[tuple[UUID, UUID | None, Member]]:
    """Take out everybody whose time is up; give group, organisation and member of each."""
    groups, members = permission_groups, permission_group_members
    rows = await tx.execute(
        delete(members)
        .where(members.c.until <= tx.now, groups.c.id == members.c.permission_group_id)
        .returning(groups.c.id, groups.c.organization_id, *members.c)
    )
    return [
        (row.id, row.organization_id, Member(MemberKind(row.kind), row.member_id, row.until))
        for row in rows
    ]


_PROGRAMS = {MemberKind.API_KEY: "user_api_keys", MemberKind.CLIENT: "oauth_clients"}


async def member_is_seen(tx: Tx, kind: MemberKind, member_id: UUID, seen: Reach) -> bool:
    """Tell whether there is such a user, program or group in an organisation of `seen`.

    The slices of these stand above this one, so their tables are known by name only.
    """
    if kind is MemberKind.GROUP:
        query = select(permission_groups.c.id).where(permission_groups.c.id == member_id)
        if not seen.everywhere:
            query = query.where(permission_groups.c.organization_id.in_(seen.organization_ids))
    elif kind is not MemberKind.USER:
        keys = table(_PROGRAMS[kind], column("id"), column("organization_id"))
        query = select(keys.c.id).where(keys.c.id == member_id)
        if not seen.everywhere:
            query = query.where(keys.c.organization_id.in_(seen.organization_ids))
    elif seen.everywhere:
        users = table("users", column("id"), column("erased_at"))
        query = select(users.c.id).where(users.c.id == member_id, users.c.erased_at.is_(None))
    else:
        query = (
            select(permission_group_members.c.member_id)
            .join(
                permission_groups,
                permission_groups.c.id == permission_group_members.c.permission_group_id,
            )
            .where(
                permission_group_members.c.kind == kind.value,
                permission_group_members.c.member_id == member_id,
                permission_groups.c.organization_id.in_(seen.organization_ids),
            )
        )
    return (await tx.execute(query.limit(1))).first() is not None


async def homes_of(tx: Tx, user_id: UUID) -> list[UUID | None]:
    """List the organisations a user is a member of; None stands for the installation."""
    rows = await tx.execute(
        select(permission_groups.c.organization_id)
        .join(
            permission_group_members,
            permission_group_members.c.permission_group_id == permission_groups.c.id,
        )
        .where(
            permission_group_members.c.kind == MemberKind.USER.value,
            permission_group_members.c.member_id == user_id,
        )
        .distinct()
        .order_by(permission_groups.c.organization_id)
    )
    return [row.organization_id for row in rows]


async def remove_member(tx: Tx, group_id: UUID, kind: MemberKind, member_id: UUID) -> bool:
    """Take a member out; tell whether it was in."""
    result = await tx.execute(
        delete(permission_group_members).where(
            permission_group_members.c.permission_group_id == group_id,
            permission_group_members.c.kind == kind.value,
            permission_group_members.c.member_id == member_id,
        )
    )
    return result.rowcount == 1


async def members_of(tx: Tx, group_id: UUID) -> list[Member]:
    """List who is in a group."""
    rows = await tx.execute(
        select(permission_group_members)
        .where(permission_group_members.c.permission_group_id == group_id)
        .order_by(permission_group_members.c.member_id)
    )
    return [Member(MemberKind(r.kind), r.member_id, r.until) for r in rows]


async def count_global_admins(tx: Tx) -> int:
    """Count the users with an open account who administer the installation without an end.

    Takes a lock for the rest of the transaction, so that the last two cannot leave at once. The
    slice of users stands above this one, so its table is known by name only.
    """
    users = table("users", column("id"), column("active"), column("expires_at"))
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.last_admin'))")
    count: int = (
        await tx.execute(
            select(func.count(permission_group_members.c.member_id.distinct()))
            .join(
                permission_groups,
                permission_groups.c.id == permission_group_members.c.permission_group_id,
            )
            .join(users, users.c.id == permission_group_members.c.member_id)
            .where(
                permission_groups.c.organization_id.is_(None),
                any_(permission_groups.c.roles) == Role.GLOBAL_ADMIN.value,
                permission_group_members.c.kind == MemberKind.USER.value,
                permission_group_members.c.until.is_(None),
                users.c.active,
                or_(users.c.expires_at.is_(None), users.c.expires_at > tx.now),
            )
        )
    ).scalar_one()
    return count


# Made once, since every request asks it. What groups give alike is one row: who is in a thousand
# groups has their rights read as fast as others.
_ALIKE = (
    permission_groups.c.organization_id,
    permission_groups.c.roles,
    permission_groups.c.permissions,
    permission_groups.c.every_application,
    permission_groups.c.own_devices,
    permission_groups.c.proven_only,
    organizations.c.second_factor,
)
_OPEN = or_(
    permission_group_members.c.until.is_(None), permission_group_members.c.until > bindparam("now")
)


def _within(first: Select[Any]) -> ScalarSelect[Any]:
    """Gather groups and those they are in, however deep; one that is in itself ends it as well.

    An array that is gathered first: the planner does not know how few it will be, and would read
    all groups there are.
    """
    mine = first.cte("mine", recursive=True)
    above = select(permission_group_members.c.permission_group_id).join(
        mine,
        and_(
            permission_group_members.c.kind == MemberKind.GROUP.value,
            permission_group_members.c.member_id == mine.c.id,
        ),
    )
    return select(mine.union(above.where(_OPEN)).c.id).scalar_subquery()


_MINE = _within(
    select(permission_group_members.c.permission_group_id.label("id")).where(
        permission_group_members.c.kind == bindparam("member_kind"),
        permission_group_members.c.member_id == bindparam("member_id"),
        _OPEN,
    )
)
_THIS = _within(
    select(permission_groups.c.id).where(permission_groups.c.id == bindparam("group_id"))
)
_GIVEN = (
    select(
        *_ALIKE,
        func.array_agg(permission_group_applications.c.application_id.distinct())
        .filter(permission_group_applications.c.application_id.is_not(None))
        .label("application_ids"),
    )
    .select_from(permission_groups)
    .outerjoin(organizations, organizations.c.id == permission_groups.c.organization_id)
    .outerjoin(
        permission_group_applications,
        and_(
            permission_group_applications.c.permission_group_id == permission_groups.c.id,
            ~permission_groups.c.every_application,
        ),
    )
    .group_by(*_ALIKE)
)
_HELD = _GIVEN.where(permission_groups.c.id == func.any(func.array(_MINE)))
_GIVEN_BY = _GIVEN.where(permission_groups.c.id == func.any(func.array(_THIS)))


async def held_by(tx: Tx, kind: MemberKind, member_id: UUID) -> list[Held]:
    """Read what a member's groups give, once for each that differs."""
    who = {"member_kind": kind.value, "member_id": member_id, "now": tx.now}
    return _held(await tx.execute(_HELD, who))


async def given_by(tx: Tx, group_id: UUID) -> list[Held]:
    """Read what a group gives its members: itself, and by the groups it is in."""
    return _held(await tx.execute(_GIVEN_BY, {"group_id": group_id, "now": tx.now}))


async def groups_within(tx: Tx, organization_id: UUID) -> list[tuple[UUID, Member]]:
    """List which groups of an organisation are in which."""
    rows = await tx.execute(
        select(permission_group_members)
        .join(
            permission_groups,
            permission_groups.c.id == permission_group_members.c.permission_group_id,
        )
        .where(
            permission_groups.c.organization_id == organization_id,
            permission_group_members.c.kind == MemberKind.GROUP.value,
            _OPEN,
        ),
        {"now": tx.now},
    )
    return [(r.permission_group_id, Member(MemberKind.GROUP, r.member_id, r.until)) for r in rows]


async def is_within(tx: Tx, group_id: UUID, other_id: UUID) -> bool:
    """Tell whether a group is another, or in it, directly or through others."""
    query = select(bindparam("other", other_id, Uuid) == func.any(func.array(_THIS)))
    found: bool = (await tx.execute(query, {"group_id": group_id, "now": tx.now})).scalar_one()
    return found


def _held(rows: Iterable[Any]) -> list[Held]:
    return [
        Held(
            row.organization_id,
            tuple(Role(r) for r in row.roles),
            tuple(Permission(p) for p in row.permissions),
            row.every_application,
            row.own_devices,
            row.proven_only,
            tuple(row.application_ids or ()),
            SecondFactor(row.second_factor or SecondFactor.NOBODY),
        )
        for row in rows
    ]


async def foreign_applications(
    tx: Tx, organization_id: UUID | None, application_ids: Iterable[UUID]
) -> list[UUID]:
    """Tell which of these applications are not the organisation's.

    The slice of groups stands above this one, so its table is known by name only.
    """
    asked = list(application_ids)
    if not asked:
        return []
    groups = table("groups", column("id"), column("organization_id"), column("kind"))
    own = await tx.execute(
        select(groups.c.id).where(
            groups.c.id.in_(asked),
            groups.c.organization_id == organization_id,
            groups.c.kind == "application",
        )
    )
    known = {row.id for row in own}
    return [a for a in asked if a not in known]
