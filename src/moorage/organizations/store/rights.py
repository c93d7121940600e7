"""What permission groups give, read with one question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ScalarSelect,
    Select,
    Uuid,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from moorage.kit.db import Tx

from ..model import (
    Held,
    Member,
    MemberKind,
    Permission,
    Role,
    SecondFactor,
)
from ..tables import (
    organizations,
    permission_group_applications,
    permission_group_members,
    permission_groups,
)

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
