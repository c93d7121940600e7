"""Who is in the permission groups that give something at a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    func,
    literal,
    null,
    or_,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from moorage.kit import pages
from moorage.kit.db import Tx
from moorage.organizations import Given, MemberKind, Permission

from ..tables import api_keys, users

_members = table(
    "permission_group_members", column("permission_group_id"), column("kind"), column("member_id"),
    column("until", DateTime(timezone=True)),
)  # fmt: skip
# Programs of either sort; the slice of OAuth clients stands above, and is known by name.
_clients = table(
    "oauth_clients", column("id", Uuid), column("organization_id", Uuid), column("name", Text),
    column("scopes", ARRAY(Text)),
)  # fmt: skip
_programs = union_all(
    select(
        literal("apiKey", Text).label("kind"), api_keys.c.id, api_keys.c.organization_id,
        api_keys.c.name, api_keys.c.scopes, api_keys.c.expires_at,
    ),
    select(
        literal("client", Text), _clients.c.id, _clients.c.organization_id, _clients.c.name,
        _clients.c.scopes, null(),
    ),
).subquery("programs")  # fmt: skip


class Member(NamedTuple):
    """A person or a program, and those of the groups it is in that give something, until when."""

    kind: MemberKind
    id: UUID
    label: str
    until: datetime | None
    scopes: frozenset[str] | None
    groups: Mapping[UUID, datetime | None]


def _member(row: Any) -> Member:
    return Member(
        MemberKind(row.kind),
        row.id,
        row.label,
        row.until,
        None if row.scopes is None else frozenset(row.scopes),
        dict(zip(row.group_ids, row.untils, strict=True)),
    )


async def list_members(
    tx: Tx,
    given: Sequence[Given],
    owner_id: UUID | None,
    permission: Permission | None,
    asked: pages.PageRequest,
) -> pages.Page[Member]:
    """Read a page of the people with an open account and the programs that have not expired.

    With `permission` only who holds it there; `owner_id` is whose the thing is.
    """
    rows = [
        {"id": str(g.group_id), "home": g.organization_id and str(g.organization_id),
         "permissions": sorted(g.permissions), "of_owner": sorted(g.permissions_of_owner)}
        for g in given
    ]  # fmt: skip
    groups = (
        func.jsonb_to_recordset(bindparam("given", rows, JSONB, unique=True))
        .table_valued(
            column("id", Uuid), column("home", Uuid), column("permissions", ARRAY(Text)),
            column("of_owner", ARRAY(Text)), name="given",
        )
        .render_derived(with_types=True)
    )  # fmt: skip
    open_user = and_(
        users.c.active,
        users.c.erased_at.is_(None),
        or_(users.c.expires_at.is_(None), users.c.expires_at > tx.now),
    )
    # A program acts in its own organisation only, and within its scopes.
    open_program = and_(
        or_(_programs.c.expires_at.is_(None), _programs.c.expires_at > tx.now),
        or_(_programs.c.organization_id.is_(None), _programs.c.organization_id == groups.c.home),
        or_(_programs.c.scopes.is_(None), _programs.c.scopes.bool_op("&&")(groups.c.permissions)),
    )
    is_user = users.c.id.is_not(None)
    held: ColumnElement[Any] = groups.c.permissions
    if owner_id is not None:
        held = case((users.c.id == owner_id, groups.c.of_owner), else_=held)
    label = case((is_user, func.coalesce(users.c.email, users.c.name)), else_=_programs.c.name)
    gathered = (
        select(
            _members.c.kind,
            _members.c.member_id.label("id"),
            label.label("label"),
            case((is_user, users.c.expires_at), else_=_programs.c.expires_at).label("until"),
            _programs.c.scopes,
            func.array_agg(aggregate_order_by(groups.c.id, groups.c.id)).label("group_ids"),
            func.array_agg(aggregate_order_by(_members.c.until, groups.c.id)).label("untils"),
        )
        .select_from(_members)
        .join(groups, groups.c.id == _members.c.permission_group_id)
        .outerjoin(
            users, and_(_members.c.kind == "user", users.c.id == _members.c.member_id, open_user)
        )
        .outerjoin(
            _programs,
            and_(
                _members.c.kind == _programs.c.kind,
                _programs.c.id == _members.c.member_id,
                open_program,
            ),
        )
        .where(
            or_(is_user, _programs.c.id.is_not(None)),
            func.cardinality(held) > 0,
            or_(_members.c.until.is_(None), _members.c.until > tx.now),
        )
        .group_by(
            _members.c.kind,
            _members.c.member_id,
            users.c.id,
            _programs.c.id,
            _programs.c.name,
            _programs.c.scopes,
            _programs.c.expires_at,
        )
    )
    if permission is not None:
        wanted = literal(permission.value, Text)
        gathered = gathered.having(
            func.bool_or(
                and_(
                    wanted == any_(held),
                    or_(_programs.c.scopes.is_(None), wanted == any_(_programs.c.scopes)),
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
