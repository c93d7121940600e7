"""One-time tokens that make a device."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..model import Claim
from ..tables import device_claims


async def add(
    tx: Tx, application_id: UUID, organization_id: UUID, *, digest: bytes, expires_at: datetime
) -> UUID:
    """Keep the digest of a token; give the claim's id."""
    made = uuid7()
    await tx.execute(
        insert(device_claims).values(
            id=made, application_id=application_id, organization_id=organization_id,
            digest=digest, expires_at=expires_at, **tx.stamp(),
        )
    )  # fmt: skip
    return made


async def take(tx: Tx, digest: bytes) -> Claim | None:
    """Use a claim up; None if there is none, or its time is over."""
    c = device_claims.c
    statement = delete(device_claims).where(c.digest == digest, c.expires_at > tx.now)
    found = (
        await tx.execute(
            statement.returning(c.id, c.application_id, c.organization_id, c.created_by)
        )
    ).one_or_none()
    if found is None:
        return None
    return Claim(found.id, found.application_id, found.organization_id, found.created_by)


async def count(tx: Tx, application_id: UUID) -> int:
    """Count an application's open claims."""
    query = select(func.count()).where(device_claims.c.application_id == application_id)
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def forget_old(tx: Tx) -> None:
    """Delete the claims whose time is over."""
    await tx.execute(delete(device_claims).where(device_claims.c.expires_at <= tx.now))
