"""Who is connected, and over what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, column, func, or_, select, table, update

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.reach import shows

from ..model import LISTENER_LOST, Figures, Measured, Presence, PresenceEvent, PresenceFilter
from ..tables import session_listeners, session_presence

# Whose a device is stands in the slice of devices below; a page of connections is cut by it in
# SQL, so its table is known by name here.
_devices = table(
    "devices",
    column("id", Uuid),
    column("number"),
    column("name"),
    column("application_id", Uuid),
    column("organization_id", Uuid),
)
_FIELDS = tuple(f.name for f in fields(Presence))
_FIGURES = tuple(f.name for f in fields(Figures))


async def end_all(tx: Tx, listener_ids: Iterable[UUID]) -> list[int]:
    """End every connection of dead listeners; give the devices."""
    rows = await tx.execute(
        update(session_presence)
        .where(
            session_presence.c.connected,
            session_presence.c.listener_id.in_(list(listener_ids)),
        )
        .values(connected=False, disconnected_at=tx.now, cause=LISTENER_LOST)
        .returning(session_presence.c.number)
    )
    return [row.number for row in rows]


# Whole fleets come and go at once: these go past SQLAlchemy, their arrays in binary.
_CAME = b"""
INSERT INTO session_presence AS p (
    number, client_id, listener_id, connected, connected_at, last_contact_at, disconnected_at,
    cause, protocol, version, address, tls, terms
)
SELECT e.number, e.client_id, %(listener)s, true, e.at, e.at, NULL, NULL, e.protocol, e.version,
       e.address, e.tls, CAST(e.terms AS jsonb)
FROM unnest(
    CAST(%(numbers)s AS integer[]), CAST(%(clients)s AS text[]), CAST(%(at)s AS timestamptz[]),
    CAST(%(protocols)s AS text[]), CAST(%(versions)s AS text[]), CAST(%(addresses)s AS text[]),
    CAST(%(tls)s AS boolean[]), CAST(%(terms)s AS text[])
) AS e(number, client_id, at, protocol, version, address, tls, terms)
WHERE e.number = ANY(CAST(%(known)s AS integer[]))
ORDER BY e.number, e.client_id
ON CONFLICT (number, client_id) DO UPDATE SET
    listener_id = excluded.listener_id, connected = true, connected_at = excluded.connected_at,
    last_contact_at = excluded.last_contact_at, disconnected_at = NULL, cause = NULL,
    protocol = excluded.protocol, version = excluded.version, address = excluded.address,
    tls = excluded.tls, terms = excluded.terms, figures = NULL, measured_at = NULL
WHERE p.connected_at <= excluded.connected_at
"""

_WENT = b"""
UPDATE session_presence p
SET connected = false, disconnected_at = e.at, last_contact_at = greatest(p.last_contact_at, e.at),
    cause = e.cause,
    figures = coalesce(p.figures || CAST(e.figures AS jsonb), CAST(e.figures AS jsonb), p.figures),
    measured_at = CASE WHEN e.figures IS NULL THEN p.measured_at ELSE e.at END
FROM unnest(
    CAST(%(numbers)s AS integer[]), CAST(%(clients)s AS text[]), CAST(%(at)s AS timestamptz[]),
    CAST(%(causes)s AS text[]), CAST(%(figures)s AS text[])
) AS e(number, client_id, at, cause, figures)
WHERE p.number = e.number AND p.client_id = e.client_id AND p.connected
  AND p.connected_at <= e.at AND p.listener_id = %(listener)s
"""

# Of a connection that another listener carries, its home and that one each know a part.
_MEASURED = """
UPDATE session_presence p
SET figures = coalesce(p.figures, '{}') || e.figures, measured_at = :now
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:clients AS text[]), CAST(:figures AS jsonb[])
) AS e(number, client_id, figures)
WHERE p.number = e.number AND p.client_id = e.client_id AND p.connected
"""


async def came(
    tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent], known: Iterable[int]
) -> None:
    """Write connections of devices that exist; at most one event a device and client id."""
    await tx.run(
        _CAME,
        {
            "listener": listener_id,
            "numbers": [e.number for e in events],
            "clients": [e.client_id for e in events],
            "at": [e.at for e in events],
            "protocols": [e.protocol for e in events],
            "versions": [e.version for e in events],
            "addresses": [e.address for e in events],
            "tls": [e.tls for e in events],
            "terms": [e.terms and _json(e.terms) for e in events],
            "known": list(known),
        },
    )


async def went(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    """End connections, unless a newer one has taken their place."""
    await tx.run(
        _WENT,
        {
            "listener": listener_id,
            "numbers": [e.number for e in events],
            "clients": [e.client_id for e in events],
            "at": [e.at for e in events],
            "causes": [e.cause for e in events],
            "figures": [None if e.figures is None else _known(e.figures) for e in events],
        },
    )


async def measured(tx: Tx, found: Sequence[Measured]) -> None:
    """Write what was measured of open connections; at most once a device and client id."""
    await tx.execute(
        _MEASURED,
        {
            "now": tx.now,
            "numbers": [one.number for one in found],
            "clients": [one.client_id for one in found],
            "figures": [_known(one.figures) for one in found],
        },
    )


def _known(figures: Figures) -> str:
    """Write the figures that were measured."""
    named = ((name, getattr(figures, name)) for name in _FIGURES)
    return _json({name: n for name, n in named if n is not None})


def _json(value: object) -> str:
    # A fifth of what `asdict` and `json` take, or less; whole fleets come and go at once.
    return msgspec.json.encode(value).decode()


_CONNECTED = b"""
SELECT DISTINCT number FROM session_presence
WHERE number = ANY(CAST(%(numbers)s AS integer[])) AND connected
"""


async def connected_of(tx: Tx, numbers: Iterable[int]) -> set[int]:
    """Tell which devices hold any connection."""
    return {row.number for row in await tx.rows(_CONNECTED, {"numbers": list(numbers)})}


async def list_presence(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: PresenceFilter
) -> pages.Page[Presence]:
    """Read a page of connections of the devices that `seen` allows."""
    query = (
        select(
            session_presence,
            _devices.c.id.label("device_id"),
            _devices.c.name.label("device_name"),
            _devices.c.application_id,
            session_listeners.c.name.label("listener"),
        )
        .join(_devices, _devices.c.number == session_presence.c.number)
        .outerjoin(session_listeners, session_listeners.c.id == session_presence.c.listener_id)
    )
    c = _devices.c
    query = query.where(shows(seen, c.organization_id, c.application_id, device_id=c.id))
    for wanted_column, value in (
        (_devices.c.id, wanted.device_id),
        (_devices.c.application_id, wanted.application_id),
        (_devices.c.organization_id, wanted.organization_id),
        (session_presence.c.connected, wanted.connected),
        (session_presence.c.version, wanted.version),
        (session_presence.c.tls, wanted.tls),
    ):
        if value is not None:
            query = query.where(wanted_column == value)
    if wanted.q:
        query = query.where(
            or_(
                *(
                    searched.icontains(wanted.q, autoescape=True)
                    for searched in (
                        _devices.c.name,
                        session_presence.c.client_id,
                        session_presence.c.address,
                    )
                )
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "connectedAt": session_presence.c.connected_at,
            "lastContactAt": session_presence.c.last_contact_at,
        },
        default="-connectedAt",
        key=func.concat(_devices.c.id, session_presence.c.client_id),
        read=lambda row: Presence(**{name: getattr(row, name) for name in _FIELDS}),
    )


async def is_connected(tx: Tx, number: int, client_id: str) -> bool:
    """Tell whether a device is connected by a client id."""
    query = select(session_presence.c.number).where(
        session_presence.c.number == number,
        session_presence.c.client_id == client_id,
        session_presence.c.connected,
    )
    return (await tx.execute(query)).first() is not None


async def count_connected(tx: Tx) -> dict[str, int]:
    """Count open connections by protocol."""
    query = select(session_presence.c.protocol, func.count().label("number")).where(
        session_presence.c.connected
    )
    rows = await tx.execute(query.group_by(session_presence.c.protocol))
    return {row.protocol: row.number for row in rows}


async def forget_ended(tx: Tx, numbers: Iterable[int], keep: int) -> None:
    """Forget all but the last `keep` ended connections of devices."""
    await tx.execute(
        "DELETE FROM session_presence p USING ("
        "  SELECT number, client_id, row_number() OVER ("
        "    PARTITION BY number ORDER BY disconnected_at DESC) AS place"
        "  FROM session_presence WHERE NOT connected AND number = ANY(:numbers)) AS ended "
        "WHERE p.number = ended.number AND p.client_id = ended.client_id AND NOT p.connected "
        "AND ended.place > :keep",
        {"numbers": list(numbers), "keep": keep},
    )


async def trim(tx: Tx, before: datetime, keep: int) -> None:
    """Forget ended connections older than `before`, and all but the last `keep` of a device."""
    await tx.execute(
        "DELETE FROM session_presence p USING ("
        "  SELECT number, client_id, disconnected_at, row_number() OVER ("
        "    PARTITION BY number ORDER BY disconnected_at DESC) AS place"
        "  FROM session_presence WHERE NOT connected) AS ended "
        "WHERE p.number = ended.number AND p.client_id = ended.client_id AND NOT p.connected "
        "AND (ended.disconnected_at < :before OR ended.place > :keep)",
        {"before": before, "keep": keep},
    )
