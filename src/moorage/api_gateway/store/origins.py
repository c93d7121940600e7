"""Sites whose pages may ask the API."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import OriginThere, OriginUnknown
from ..model import Origin
from ..tables import origins


def _read(row: Any) -> Origin:
    return Origin(**{field.name: getattr(row, field.name) for field in fields(Origin)})


async def add(tx: Tx, organization_id: UUID | None, client_id: UUID | None, origin: str) -> Origin:
    """Insert one. Raises OriginThere."""
    rows = await tx.execute(
        insert(origins)
        .values(
            id=uuid7(), organization_id=organization_id, client_id=client_id, origin=origin,
            **tx.stamp(),
        )
        .on_conflict_do_nothing(
            index_elements=[origins.c.organization_id, origins.c.client_id, origins.c.origin]
        )
        .returning(origins)
    )  # fmt: skip
    if (row := rows.one_or_none()) is None:
        raise OriginThere(origin=origin)
    return _read(row)


async def get(tx: Tx, origin_id: UUID) -> Origin:
    """Read one. Raises OriginUnknown."""
    row = (await tx.execute(select(origins).where(origins.c.id == origin_id))).one_or_none()
    if row is None:
        raise OriginUnknown(id=origin_id)
    return _read(row)


async def list_origins(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    client_id: UUID | None,
) -> pages.Page[Origin]:
    """Read a page of the origins of organisations in `seen`."""
    query = select(origins)
    if not seen.everywhere:
        query = query.where(origins.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(origins.c.organization_id == organization_id)
    if client_id is not None:
        query = query.where(origins.c.client_id == client_id)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"origin": origins.c.origin, "createdAt": origins.c.created_at},
        default="origin",
        key=origins.c.id,
        read=_read,
    )


async def remove(tx: Tx, origin_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(origins).where(origins.c.id == origin_id))


async def everything(tx: Tx) -> list[tuple[str, UUID | None, UUID | None]]:
    """Read every origin, with whose organisation and for which client it is."""
    column = origins.c
    rows = await tx.execute(select(column.origin, column.organization_id, column.client_id))
    return [(row.origin, row.organization_id, row.client_id) for row in rows]
