"""What the message path reads and writes of devices: contexts, contacts, places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from moorage.kit.db import Tx

from ..model import DeviceContext, DeviceKind, DeviceState, Location
from ..tables import devices
from . import past, registry, senders

# A contact is written at most this often; more would only wear the disk.
CONTACT_EVERY_S = 5


async def contexts_of(tx: Tx, numbers: Iterable[int]) -> dict[int, DeviceContext]:
    """Read what decoding and forwarding need."""
    query = registry.statement().where(devices.c.number == func.any(list(numbers)))
    return {
        row.number: DeviceContext(
            number=row.number,
            id=row.id,
            name=row.name,
            kind=DeviceKind(row.kind),
            manufacturer=row.manufacturer,
            model=row.model,
            serial=row.serial,
            identifiers=registry.identifiers_of(row),
            organization_id=row.organization_id,
            application_id=row.application_id,
            state=DeviceState(row.state),
            decoder_id=row.decoder_id,
            metadata=row.metadata,
            tags=tuple(row.tags),
            location=registry.location_of(row),
            place=row.place,
            thresholds=registry.thresholds_of(row),
            updated_at=row.updated_at,
        )
        for row in await tx.execute(query)
    }


# The usual interval follows a longer gap at once and shorter ones slowly, so that it settles near
# the long gaps of a device that sends in bursts.
_SEEN = b"""
WITH contact AS (
    SELECT number, at FROM unnest(CAST(%(numbers)s AS integer[]), CAST(%(at)s AS timestamptz[]))
        AS contact(number, at)
), due AS (
    SELECT c.number, contact.at, c.silent_since IS NOT NULL AS was_silent,
           extract(epoch FROM contact.at - c.last_seen_at) AS gap
    FROM device_contacts c JOIN contact USING (number)
    WHERE c.last_seen_at IS NULL OR c.silent_since IS NOT NULL
       OR c.last_seen_at < contact.at - make_interval(secs => %(every)s)
    ORDER BY c.number
    FOR UPDATE OF c
)
UPDATE device_contacts c
SET last_seen_at = greatest(c.last_seen_at, due.at),
    contacts = c.contacts + 1,
    silent_since = NULL,
    usual_interval_s = CASE
        WHEN due.gap IS NULL OR due.gap < 0 THEN c.usual_interval_s
        WHEN c.usual_interval_s IS NULL THEN due.gap
        WHEN due.gap > c.usual_interval_s THEN (c.usual_interval_s + due.gap) / 2
        ELSE c.usual_interval_s * 0.95 + due.gap * 0.05
    END
FROM due
WHERE c.number = due.number
RETURNING c.number, due.was_silent
"""

_ACTIVATE = f"""
WITH begun AS (
    SELECT number FROM devices
    WHERE number = ANY(CAST(:numbers AS integer[])) AND state = 'planned' FOR UPDATE
), kept AS ({past.keeping("d.number IN (SELECT number FROM begun)")})
UPDATE devices SET state = 'active', updated_at = :now, updated_by = :by
WHERE number IN (SELECT number FROM begun)
RETURNING id, number
"""


async def seen(tx: Tx, contacts: Mapping[int, datetime]) -> list[int]:
    """Note contacts; give the numbers of devices that were silent until now."""
    if not contacts:
        return []
    numbers = list(contacts)
    rows = await tx.rows(
        _SEEN,
        {"numbers": numbers, "at": list(contacts.values()), "every": float(CONTACT_EVERY_S)},
    )
    back = [row.number for row in rows if row.was_silent]
    begun = (
        await tx.execute(_ACTIVATE, {"numbers": numbers, "now": tx.now, "by": tx.caller.id})
    ).all()
    for row in begun:
        await registry.note_state(tx, row.id, DeviceState.ACTIVE, "first contact")
    await senders.changed(tx, [row.number for row in begun], sender=True)
    return back


_CONNECTED = b"""
UPDATE device_contacts c SET connected = new.connected
FROM unnest(CAST(%(numbers)s AS integer[]), CAST(%(connected)s AS boolean[]))
    AS new(number, connected)
WHERE c.number = new.number AND c.connected <> new.connected
"""


async def connected(tx: Tx, connections: Mapping[int, bool]) -> None:
    """Note which devices hold a connection now."""
    if connections:
        values = {"numbers": list(connections), "connected": list(connections.values())}
        await tx.run(_CONNECTED, values)


async def located(tx: Tx, places: Mapping[int, Location]) -> None:
    """Move devices to where they say they are; what has not moved is not written."""
    if places:
        await tx.execute(
            "UPDATE devices d SET longitude = new.longitude, latitude = new.latitude, "
            "altitude_m = coalesce(new.altitude_m, d.altitude_m) "
            "FROM unnest(CAST(:numbers AS integer[]), CAST(:longitudes AS float8[]), "
            "CAST(:latitudes AS float8[]), CAST(:altitudes AS float8[])) "
            "AS new(number, longitude, latitude, altitude_m) "
            "WHERE d.number = new.number AND (d.longitude, d.latitude) "
            "IS DISTINCT FROM (new.longitude, new.latitude)",
            {
                "numbers": list(places),
                "longitudes": [p.longitude for p in places.values()],
                "latitudes": [p.latitude for p in places.values()],
                "altitudes": [p.altitude_m for p in places.values()],
            },
        )


async def ids_of(tx: Tx, numbers: Iterable[int]) -> dict[int, UUID]:
    """Translate the message path's numbers into ids."""
    query = select(devices.c.number, devices.c.id).where(
        devices.c.number == func.any(list(numbers))
    )
    return {row.number: row.id for row in await tx.execute(query)}
