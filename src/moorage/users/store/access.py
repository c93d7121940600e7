"""Who is in the permission groups that give something at a place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    func,
    literal,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit import pages
from moorage.kit.db import Tx
from moorage.organizations import Given, MemberKind, Permission

from ..tables import api_keys, users

_members = table(
    "permission_group_members", column("permission_group_id"), column("kind"), column("member_id")
)


class Member(NamedTuple):
    """A person or an API key, and those of the groups it is in that give it something."""

    kind: MemberKind
    id: UUID
    label: str
    until: datetime | None
    scopes: frozenset[str] | None
    group_ids: frozenset[UUID]


def _member(row: Any) -> Member:
    return Member(
        MemberKind(row.kind),
        row.id,
        row.label,
        row.until,
        None if row.scopes is None else frozenset(row.scopes),
        frozenset(row.group_ids),
    )


async def list_members(
    tx: Tx, given: Sequence[Given], permission: Permission | None, asked: pages.PageRequest
) -> pages.Page[Member]:
    """Read a page of the people with an open account and the keys that have not expired.

    With `permission` only who holds it there.
    """
    rows = [
        {"id": str(g.group_id), "home": g.organization_id and str(g.organization_id),
         "permissions": sorted(g.permissions)}
        for g in given
    ]  # fmt: skip
    groups = (
        func.jsonb_to_recordset(bindparam("given", rows, JSONB, unique=True))
        .table_valued(
            column("id", Uuid), column("home", Uuid), column("permissions", ARRAY(Text)),
            name="given",
        )
        .render_derived(with_types=True)
    )  # fmt: skip
    open_user = and_(
        users.c.active,
        users.c.erased_at.is_(None),
        or_(users.c.expires_at.is_(None), users.c.expires_at > tx.now),
    )
    # A key acts in its own organisation only, and within its scopes.
    open_key = and_(
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > tx.now),
        or_(api_keys.c.organization_id.is_(None), api_keys.c.organization_id == groups.c.home),
        or_(api_keys.c.scopes.is_(None), api_keys.c.scopes.bool_op("&&")(groups.c.permissions)),
    )
    is_user = users.c.id.is_not(None)
    label = case((is_user, func.coalesce(users.c.email, users.c.name)), else_=api_keys.c.name)
    gathered = (
        select(
            _members.c.kind,
            _members.c.member_id.label("id"),
            label.label("label"),
            case((is_user, users.c.expires_at), else_=api_keys.c.expires_at).label("until"),
            api_keys.c.scopes,
            func.array_agg(groups.c.id).label("group_ids"),
        )
        .select_from(_members)
        .join(groups, groups.c.id == _members.c.permission_group_id)
        .outerjoin(
            users, and_(_members.c.kind == "user", users.c.id == _members.c.member_id, open_user)
        )
        .outerjoin(
            api_keys,
            and_(_members.c.kind == "apiKey", api_keys.c.id == _members.c.member_id, open_key),
        )
        .where(or_(is_user, api_keys.c.id.is_not(None)))
        .group_by(_members.c.kind, _members.c.member_id, users.c.id, api_keys.c.id)
    )
    if permission is not None:
        wanted = literal(permission.value, Text)
        gathered = gathered.having(
            func.bool_or(
                and_(
                    wanted == any_(groups.c.permissions),
                    or_(api_keys.c.scopes.is_(None), wanted == any_(api_keys.c.scopes)),
                )
            )
        )
    who = gathered.subquery("who")
    return await pages.page(
        tx,
        select(who),
        asked,
        sorts={"label": func.lower(who.c.label)},
        default="label",
        key=who.c.id,
        read=_member,
    )
