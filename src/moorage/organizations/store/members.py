"""The only SQL about who is in which permission group."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    any_,
    column,
    delete,
    func,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..model import (
    Member,
    MemberKind,
    Role,
)
from ..tables import (
    permission_group_members,
    permission_groups,
)


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
