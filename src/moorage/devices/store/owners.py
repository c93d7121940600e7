"""Whose devices are."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update

from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.reach import shows

from ..tables import devices
from . import past


async def places_of_own(tx: Tx, seen: Reach) -> list[tuple[UUID, UUID]]:
    """List application and id of the devices that are the caller's own and `seen` allows."""
    if not seen.own_in:
        return []
    c = devices.c
    own = Reach(own_in=seen.own_in, owner_id=seen.owner_id)
    shown = shows(own, c.organization_id, c.application_id, owner_id=c.owner_id)
    rows = await tx.execute(select(c.application_id, c.id).where(shown))
    return [(row.application_id, row.id) for row in rows]


async def free(tx: Tx, application_id: UUID) -> None:
    """Take the devices of an application from their owners."""
    await past.keep(tx, "d.application_id = :id AND d.owner_id IS NOT NULL", id=application_id)
    await tx.execute(
        update(devices)
        .where(devices.c.application_id == application_id, devices.c.owner_id.is_not(None))
        .values(owner_id=None)
    )
