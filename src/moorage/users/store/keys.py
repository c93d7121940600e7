"""API keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import Select, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from ..errors import ApiKeyNameTaken, ApiKeyUnknown
from ..model import LAST_USE, ApiKey, NewApiKey
from ..tables import api_keys

_members = table(
    "permission_group_members", column("permission_group_id"), column("kind"), column("member_id")
)


def _key(row: Any) -> ApiKey:
    values = {f.name: getattr(row, f.name) for f in fields(ApiKey)}
    if values["scopes"] is not None:
        values["scopes"] = tuple(Permission(s) for s in values["scopes"])
    values["permission_group_ids"] = tuple(values["permission_group_ids"] or ())
    return ApiKey(**values)


def _keys() -> Select[Any]:
    groups = (
        select(func.array_agg(_members.c.permission_group_id))
        .where(_members.c.kind == "apiKey", _members.c.member_id == api_keys.c.id)
        .scalar_subquery()
        .label("permission_group_ids")
    )
    return select(*(c for c in api_keys.c if c.name != "digest"), groups)


async def add(tx: Tx, new: NewApiKey, digest: bytes) -> UUID:
    """Insert `new`; its groups are joined by the slice of organisations. Raises ApiKeyNameTaken."""
    key_id = uuid7()
    row = (
        await tx.execute(
            insert(api_keys)
            .values(
                id=key_id,
                organization_id=new.organization_id,
                name=new.name,
                digest=digest,
                scopes=None if new.scopes is None else [s.value for s in new.scopes],
                expires_at=new.expires_at,
                basic=new.basic,
                **tx.stamp(),
            )
            .on_conflict_do_nothing(
                index_elements=[api_keys.c.organization_id, func.lower(api_keys.c.name)]
            )
            .returning(api_keys.c.id)
        )
    ).one_or_none()
    if row is None:
        raise ApiKeyNameTaken(name=new.name)
    return key_id


async def get(tx: Tx, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """Read one. Raises ApiKeyUnknown."""
    query = _keys().where(api_keys.c.id == key_id)
    if lock:
        query = query.with_for_update(of=api_keys)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise ApiKeyUnknown(id=key_id)
    return _key(row)


async def find_open(
    tx: Tx, *, digest: bytes | None = None, key_id: UUID | None = None
) -> ApiKey | None:
    """Find a key that has not expired, by its secret or by its id."""
    query = _keys().where(or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > tx.now))
    if digest is not None:
        query = query.where(api_keys.c.digest == digest)
    else:
        query = query.where(api_keys.c.id == key_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _key(row)


async def touch(tx: Tx, key: ApiKey) -> None:
    """Write down that a key is in use, once a minute at most."""
    if key.used_at is None or tx.now - key.used_at >= LAST_USE:
        await tx.execute(update(api_keys).where(api_keys.c.id == key.id).values(used_at=tx.now))


async def list_keys(
    tx: Tx, seen: Reach, asked: pages.PageRequest, *, organization_id: UUID | None, q: str | None
) -> pages.Page[ApiKey]:
    """Read a page of the keys of organisations in `seen`."""
    query = _keys()
    if not seen.everywhere:
        query = query.where(api_keys.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(api_keys.c.organization_id == organization_id)
    if q:
        query = query.where(api_keys.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"name": func.lower(api_keys.c.name), "createdAt": api_keys.c.created_at},
        default="name",
        key=api_keys.c.id,
        read=_key,
    )


async def change(tx: Tx, key_id: UUID, changes: Mapping[str, Any]) -> None:
    """Change fields. Raises ApiKeyNameTaken."""
    statement = update(api_keys).where(api_keys.c.id == key_id)
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement.values(**changes, **tx.restamp()))
    except IntegrityError as taken:
        raise ApiKeyNameTaken(name=changes.get("name")) from taken


async def remove(tx: Tx, key_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(api_keys).where(api_keys.c.id == key_id))
