"""Which rows a caller's reach shows: the one place where lists ask who may see a device."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, column, or_, select, table, true

from moorage.kit.caller import Reach
from moorage.kit.db import Tx

# The slice of devices stands above, so its table is known by name only.
_devices = table(
    "devices", column("id", Uuid), column("organization_id", Uuid), column("owner_id", Uuid)
)


def shows(
    seen: Reach,
    organization_id: ColumnElement[Any],
    application_id: ColumnElement[Any],
    *,
    owner_id: ColumnElement[Any] | None = None,
    device_id: ColumnElement[Any] | None = None,
) -> ColumnElement[bool]:
    """Keep to the rows that a reach allows.

    Args:
        seen: where the caller holds the permission.
        organization_id: the column of the organisation.
        application_id: the column of the application; null where a row is of none.
        owner_id: the column of the device's owner, where the rows are devices.
        device_id: the column of the device, where each row is about one.
    """
    if seen.everywhere:
        return true()
    ways: list[ColumnElement[bool]] = [application_id.in_(seen.application_ids)]
    if seen.organization_ids:
        ways.append(organization_id.in_(seen.organization_ids))
    if seen.own_in and owner_id is not None:
        ways.append(and_(owner_id == seen.owner_id, organization_id.in_(seen.own_in)))
    elif seen.own_in and device_id is not None:
        ways.append(device_id.in_(select(_devices.c.id).where(_is_own(seen))))
    return or_(*ways)


async def is_own(tx: Tx, seen: Reach, device_id: UUID) -> bool:
    """Tell whether a device is one of the caller's own that a reach allows."""
    if not seen.own_in:
        return False
    query = select(_devices.c.id).where(_devices.c.id == device_id, _is_own(seen))
    return (await tx.execute(query)).first() is not None


def _is_own(seen: Reach) -> ColumnElement[bool]:
    mine = _devices.c.owner_id == seen.owner_id
    return and_(mine, _devices.c.organization_id.in_(seen.own_in))
