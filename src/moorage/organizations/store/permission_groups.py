"""The only SQL about permission groups and the applications they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Select,
    Uuid,
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
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import (
    PermissionGroupNameTaken,
    PermissionGroupUnknown,
)
from ..model import (
    MemberKind,
    NewPermissionGroup,
    Permission,
    PermissionGroup,
    Role,
)
from ..tables import (
    permission_group_applications,
    permission_group_members,
    permission_groups,
)


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
