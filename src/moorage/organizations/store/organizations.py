"""The only SQL about organisations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    cast,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import (
    OrganizationInUse,
    OrganizationNameTaken,
    OrganizationUnknown,
)
from ..model import (
    QUOTAS_CHANNEL,
    Contact,
    Kept,
    NewOrganization,
    Organization,
    Quota,
    SecondFactor,
    read_quotas,
)
from ..tables import (
    organizations,
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


async def periods(tx: Tx, what: Kept) -> dict[UUID, timedelta]:
    """Read how long something is kept, of the organisations that say so."""
    own = organizations.c[what.value]
    query = select(organizations.c.id, own.label("keep")).where(own.is_not(None))
    return {row.id: row.keep for row in await tx.execute(query)}


async def time_zones(tx: Tx) -> dict[UUID, str]:
    """Read the time zone of every organisation."""
    rows = await tx.execute(select(organizations.c.id, organizations.c.time_zone))
    return {row.id: row.time_zone for row in rows}
