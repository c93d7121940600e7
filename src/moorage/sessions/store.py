"""The only SQL about presence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from .model import (
    LISTENER_LOST,
    KeptSession,
    Presence,
    PresenceEvent,
    PresenceFilter,
    RetainedMessage,
)
from .tables import session_kept, session_listeners, session_presence, session_retained

# Whose a device is stands in the slice of devices below; a page of connections is cut by it in
# SQL, so its table is known by name here.
_devices = table(
    "devices",
    column("id", Uuid),
    column("number"),
    column("application_id", Uuid),
    column("organization_id", Uuid),
)
_FIELDS = tuple(f.name for f in fields(Presence))


async def start_listener(tx: Tx, name: str) -> tuple[UUID, UUID | None]:
    """Write a new life of the listener of this name; give it and the one before."""
    before = (
        await tx.execute(
            select(session_listeners.c.id).where(session_listeners.c.name == name).with_for_update()
        )
    ).scalar_one_or_none()
    values = {"id": uuid7(), "started_at": tx.now, "seen_at": tx.now}
    statement = insert(session_listeners).values(name=name, **values)
    made: UUID = (
        await tx.execute(
            statement.on_conflict_do_update(
                constraint="session_listeners_name_key", set_=values
            ).returning(session_listeners.c.id)
        )
    ).scalar_one()
    return made, before


async def beat(tx: Tx, listener_id: UUID) -> None:
    """Note that a listener lives."""
    await tx.execute(
        update(session_listeners)
        .where(session_listeners.c.id == listener_id)
        .values(seen_at=tx.now)
    )


async def lost_listeners(tx: Tx, before: datetime) -> list[UUID]:
    """Forget listeners not heard of since then; give them and those that left rows behind."""
    gone = await tx.execute(
        delete(session_listeners)
        .where(session_listeners.c.seen_at < before)
        .returning(session_listeners.c.id)
    )
    lost = [row.id for row in gone]
    orphans = await tx.execute(
        select(session_presence.c.listener_id)
        .where(
            session_presence.c.connected,
            session_presence.c.last_contact_at < before,
            session_presence.c.listener_id.not_in(select(session_listeners.c.id)),
        )
        .distinct()
    )
    return list({*lost, *(row.listener_id for row in orphans)})


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


_CAME = """
INSERT INTO session_presence AS p (
    number, client_id, listener_id, connected, connected_at, last_contact_at, disconnected_at,
    cause, protocol, version, address, tls
)
SELECT e.number, e.client_id, :listener, true, e.at, e.at, NULL, NULL, e.protocol, e.version,
       e.address, e.tls
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:clients AS text[]), CAST(:at AS timestamptz[]),
    CAST(:protocols AS text[]), CAST(:versions AS text[]), CAST(:addresses AS text[]),
    CAST(:tls AS boolean[])
) AS e(number, client_id, at, protocol, version, address, tls)
WHERE e.number = ANY(CAST(:known AS integer[]))
ORDER BY e.number, e.client_id
ON CONFLICT (number, client_id) DO UPDATE SET
    listener_id = excluded.listener_id, connected = true, connected_at = excluded.connected_at,
    last_contact_at = excluded.last_contact_at, disconnected_at = NULL, cause = NULL,
    protocol = excluded.protocol, version = excluded.version, address = excluded.address,
    tls = excluded.tls
WHERE p.connected_at <= excluded.connected_at
"""

_WENT = """
UPDATE session_presence p
SET connected = false, disconnected_at = e.at, last_contact_at = greatest(p.last_contact_at, e.at),
    cause = e.cause
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:clients AS text[]), CAST(:at AS timestamptz[]),
    CAST(:causes AS text[])
) AS e(number, client_id, at, cause)
WHERE p.number = e.number AND p.client_id = e.client_id AND p.connected
  AND p.connected_at <= e.at AND p.listener_id = :listener
"""


async def came(
    tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent], known: Iterable[int]
) -> None:
    """Write connections of devices that exist; at most one event a device and client id."""
    await tx.execute(
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
            "known": list(known),
        },
    )


async def went(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    """End connections, unless a newer one has taken their place."""
    await tx.execute(
        _WENT,
        {
            "listener": listener_id,
            "numbers": [e.number for e in events],
            "clients": [e.client_id for e in events],
            "at": [e.at for e in events],
            "causes": [e.cause for e in events],
        },
    )


async def connected_of(tx: Tx, numbers: Iterable[int]) -> set[int]:
    """Tell which devices hold any connection."""
    rows = await tx.execute(
        select(session_presence.c.number)
        .where(session_presence.c.number.in_(list(numbers)), session_presence.c.connected)
        .distinct()
    )
    return {row.number for row in rows}


async def list_presence(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: PresenceFilter
) -> pages.Page[Presence]:
    """Read a page of connections of the devices that `seen` allows."""
    query = select(session_presence, _devices.c.id.label("device_id")).join(
        _devices, _devices.c.number == session_presence.c.number
    )
    if not seen.everywhere:
        query = query.where(
            or_(
                _devices.c.organization_id.in_(seen.organization_ids),
                _devices.c.application_id.in_(seen.application_ids),
            )
        )
    for wanted_column, value in (
        (_devices.c.id, wanted.device_id),
        (_devices.c.application_id, wanted.application_id),
        (_devices.c.organization_id, wanted.organization_id),
        (session_presence.c.connected, wanted.connected),
    ):
        if value is not None:
            query = query.where(wanted_column == value)
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


async def count_connected(tx: Tx) -> dict[str, int]:
    """Count open connections by protocol."""
    query = select(session_presence.c.protocol, func.count().label("number")).where(
        session_presence.c.connected
    )
    rows = await tx.execute(query.group_by(session_presence.c.protocol))
    return {row.protocol: row.number for row in rows}


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


_KEEP = """
INSERT INTO session_kept (number, client_id, state, expiry_s, expires_at)
SELECT e.number, e.client_id, e.state, e.expiry_s, e.expires_at
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:clients AS text[]), CAST(:states AS bytea[]),
    CAST(:expiries AS integer[]), CAST(:expire_at AS timestamptz[])
) AS e(number, client_id, state, expiry_s, expires_at)
ORDER BY e.number, e.client_id
ON CONFLICT (number, client_id) DO UPDATE SET
    state = excluded.state, expiry_s = excluded.expiry_s, expires_at = excluded.expires_at
"""

_RETAIN = """
INSERT INTO session_retained (number, topic, message, expires_at)
SELECT e.number, e.topic, e.message, e.expires_at
FROM unnest(
    CAST(:numbers AS integer[]), CAST(:topics AS text[]), CAST(:messages AS bytea[]),
    CAST(:expire_at AS timestamptz[])
) AS e(number, topic, message, expires_at)
ORDER BY e.number, e.topic
ON CONFLICT (number, topic) DO UPDATE SET
    message = excluded.message, expires_at = excluded.expires_at
"""


async def keep_sessions(tx: Tx, kept: Sequence[KeptSession]) -> None:
    """Write sessions, each at most once; their devices exist."""
    await tx.execute(
        _KEEP,
        {
            "numbers": [one.number for one in kept],
            "clients": [one.client_id for one in kept],
            "states": [one.state for one in kept],
            "expiries": [one.expiry_s for one in kept],
            "expire_at": [one.expires_at for one in kept],
        },
    )


async def discard_sessions(tx: Tx, discarded: Sequence[KeptSession]) -> None:
    """Remove sessions."""
    await tx.execute(
        "DELETE FROM session_kept k USING unnest("
        "  CAST(:numbers AS integer[]), CAST(:clients AS text[])) AS e(number, client_id) "
        "WHERE k.number = e.number AND k.client_id = e.client_id",
        {
            "numbers": [one.number for one in discarded],
            "clients": [one.client_id for one in discarded],
        },
    )


async def retain(tx: Tx, retained: Sequence[RetainedMessage]) -> None:
    """Write retained messages, each topic at most once; their devices exist."""
    await tx.execute(
        _RETAIN,
        {
            "numbers": [one.number for one in retained],
            "topics": [one.topic for one in retained],
            "messages": [one.message for one in retained],
            "expire_at": [one.expires_at for one in retained],
        },
    )


async def clear_retained(tx: Tx, cleared: Sequence[RetainedMessage]) -> None:
    """Remove retained messages."""
    await tx.execute(
        "DELETE FROM session_retained r USING unnest("
        "  CAST(:numbers AS integer[]), CAST(:topics AS text[])) AS e(number, topic) "
        "WHERE r.number = e.number AND r.topic = e.topic",
        {"numbers": [one.number for one in cleared], "topics": [one.topic for one in cleared]},
    )


async def kept_sessions(tx: Tx, numbers: Iterable[int]) -> list[KeptSession]:
    """Read the sessions of devices that have not expired."""
    rows = await tx.execute(
        select(session_kept).where(
            session_kept.c.number.in_(list(numbers)),
            or_(session_kept.c.expires_at.is_(None), session_kept.c.expires_at > tx.now),
        )
    )
    return [KeptSession(**row) for row in rows.mappings()]


async def retained_messages(tx: Tx, numbers: Iterable[int]) -> list[RetainedMessage]:
    """Read the retained messages of devices that have not expired."""
    rows = await tx.execute(
        select(session_retained).where(
            session_retained.c.number.in_(list(numbers)),
            or_(session_retained.c.expires_at.is_(None), session_retained.c.expires_at > tx.now),
        )
    )
    return [RetainedMessage(**row) for row in rows.mappings()]


async def let_expire(tx: Tx, listener_ids: Iterable[UUID]) -> None:
    """Start the clocks of the sessions that dead listeners left connected."""
    await tx.execute(
        "UPDATE session_kept k SET expires_at = :now + make_interval(secs => k.expiry_s) "
        "FROM session_presence p "
        "WHERE p.number = k.number AND p.client_id = k.client_id AND p.connected "
        "AND p.listener_id = ANY(CAST(:listeners AS uuid[])) AND k.expires_at IS NULL",
        {"now": tx.now, "listeners": list(listener_ids)},
    )


async def trim_kept(tx: Tx, before: datetime) -> None:
    """Forget sessions and retained messages that expired before then."""
    await tx.execute(delete(session_kept).where(session_kept.c.expires_at < before))
    await tx.execute(delete(session_retained).where(session_retained.c.expires_at < before))
