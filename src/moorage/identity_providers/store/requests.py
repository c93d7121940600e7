"""Requests for access."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import AccessRequestUnknown
from ..model import REJECTED_FOR, REQUEST_KEPT, AccessRequest, Provider, Told
from ..tables import access_requests, identity_providers

_FIELDS = tuple(AccessRequest.__dataclass_fields__)


def _query() -> Select[Any]:
    return select(access_requests, identity_providers.c.name.label("provider_name")).join(
        identity_providers, identity_providers.c.id == access_requests.c.provider_id
    )


def _request(row: Any) -> AccessRequest:
    values = {name: getattr(row, name) for name in _FIELDS}
    return AccessRequest(**{**values, "groups": tuple(row.groups)})


async def put(tx: Tx, provider: Provider, told: Told) -> tuple[AccessRequest, bool]:
    """Ask for access, or bring what was asked up to date; tell whether it is new.

    Who was rejected less than a week ago stays so.
    """
    mine = (access_requests.c.provider_id == provider.id) & (
        access_requests.c.subject == told.subject
    )
    await tx.execute(delete(access_requests).where(mine, access_requests.c.expires_at <= tx.now))
    said = {"name": told.name, "email": told.email, "groups": sorted(told.groups)}
    statement = (
        insert(access_requests)
        .values(
            id=uuid7(),
            organization_id=provider.organization_id,
            provider_id=provider.id,
            subject=told.subject,
            expires_at=tx.now + REQUEST_KEPT,
            **said,
            **tx.stamp(),
        )
        .on_conflict_do_nothing()
        .returning(access_requests.c.id)
    )
    made = (await tx.execute(statement)).scalar_one_or_none()
    if made is None:
        await tx.execute(
            update(access_requests)
            .where(mine, access_requests.c.rejected_at.is_(None))
            .values(**said)
        )
    row = (await tx.execute(_query().where(mine))).one()
    return _request(row), made is not None


async def get(tx: Tx, request_id: UUID, *, lock: bool = False) -> AccessRequest:
    """Read one that waits. Raises AccessRequestUnknown."""
    query = _query().where(
        access_requests.c.id == request_id,
        access_requests.c.rejected_at.is_(None),
        access_requests.c.expires_at > tx.now,
    )
    if lock:
        query = query.with_for_update(of=access_requests)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise AccessRequestUnknown(id=request_id)
    return _request(row)


async def list_requests(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    q: str | None,
) -> pages.Page[AccessRequest]:
    """Read a page of what waits and `seen` allows."""
    query = _query().where(
        access_requests.c.rejected_at.is_(None), access_requests.c.expires_at > tx.now
    )
    if not seen.everywhere:
        query = query.where(access_requests.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(access_requests.c.organization_id == organization_id)
    if q:
        query = query.where(
            or_(
                access_requests.c.name.icontains(q, autoescape=True),
                access_requests.c.email.icontains(q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(access_requests.c.name),
            "createdAt": access_requests.c.created_at,
        },
        default="createdAt",
        key=access_requests.c.id,
        read=_request,
    )


async def reject(tx: Tx, request_id: UUID) -> None:
    """Note that a request was rejected; who asked may ask again after a week."""
    await tx.execute(
        update(access_requests)
        .where(access_requests.c.id == request_id)
        .values(rejected_at=tx.now, expires_at=tx.now + REJECTED_FOR, **tx.restamp())
    )


async def remove(tx: Tx, request_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(access_requests).where(access_requests.c.id == request_id))
