"""Listeners that live, and which devices are at home at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..model import Listener
from ..tables import session_homes, session_listeners, session_presence


async def add(tx: Tx, name: str, address: str | None, version: str) -> UUID:
    """Write a life of a listener; there is none of its name."""
    made = uuid7()
    await tx.execute(
        insert(session_listeners).values(
            id=made,
            name=name,
            address=address,
            version=version,
            started_at=tx.now,
            seen_at=tx.now,
        )
    )
    return made


async def find_named(tx: Tx, name: str) -> UUID | None:
    """Find the life of the listener of this name, and hold it."""
    found: UUID | None = (
        await tx.execute(
            select(session_listeners.c.id).where(session_listeners.c.name == name).with_for_update()
        )
    ).scalar_one_or_none()
    return found


async def find(tx: Tx, listener_id: UUID) -> Listener | None:
    """Find a listener, and hold it."""
    row = (
        await tx.execute(
            select(session_listeners).where(session_listeners.c.id == listener_id).with_for_update()
        )
    ).one_or_none()
    return None if row is None else _listener(row)


async def beat(tx: Tx, listener_id: UUID, follows: int) -> bool:
    """Note that a listener lives, and how many it follows; False if it was given up."""
    beaten = await tx.execute(
        update(session_listeners)
        .where(session_listeners.c.id == listener_id)
        .values(seen_at=tx.now, doubted_at=None, follows=follows)
    )
    return bool(beaten.rowcount)


async def doubt(tx: Tx, before: datetime) -> None:
    """Doubt the listeners not heard of since then."""
    await tx.execute(
        update(session_listeners)
        .where(session_listeners.c.seen_at < before, session_listeners.c.doubted_at.is_(None))
        .values(doubted_at=tx.now)
    )


async def lost(tx: Tx, doubted_before: datetime, silent_since: datetime) -> list[UUID]:
    """List listeners that did not answer a doubt, and those gone that left connections behind."""
    gone = await tx.execute(
        select(session_listeners.c.id)
        .where(session_listeners.c.doubted_at < doubted_before)
        .with_for_update()
    )
    orphans = await tx.execute(
        select(session_presence.c.listener_id)
        .where(
            session_presence.c.connected,
            session_presence.c.last_contact_at < silent_since,
            session_presence.c.listener_id.not_in(select(session_listeners.c.id)),
        )
        .distinct()
    )
    return list({*gone.scalars(), *orphans.scalars()})


async def remove(tx: Tx, listener_ids: Sequence[UUID]) -> None:
    """Forget listeners; who was at home there is so nowhere."""
    await tx.execute(delete(session_listeners).where(session_listeners.c.id.in_(listener_ids)))


async def living(tx: Tx) -> list[Listener]:
    """List the listeners, the oldest first, without their connections."""
    return [
        _listener(row)
        for row in await tx.execute(select(session_listeners).order_by(session_listeners.c.id))
    ]


async def is_living(tx: Tx, listener_id: UUID) -> bool:
    """Tell whether a listener was not given up; it is not until the end of the transaction."""
    found = await tx.execute(
        select(session_listeners.c.id)
        .where(session_listeners.c.id == listener_id)
        .with_for_update(read=True, key_share=True)
    )
    return found.scalar_one_or_none() is not None


async def list_all(tx: Tx) -> list[Listener]:
    """List the listeners, by name, with how many connections and devices each holds."""
    connections = (
        select(func.count())
        .where(
            session_presence.c.listener_id == session_listeners.c.id, session_presence.c.connected
        )
        .scalar_subquery()
    )
    at_home = (
        select(func.count())
        .where(session_homes.c.listener_id == session_listeners.c.id)
        .scalar_subquery()
    )
    rows = await tx.execute(
        select(
            session_listeners, connections.label("connections"), at_home.label("devices")
        ).order_by(session_listeners.c.name)
    )
    return [_listener(row, row.connections, row.devices) for row in rows]


def _listener(row: Row[Any], connections: int = 0, devices: int = 0) -> Listener:
    return Listener(
        row.id,
        row.name,
        row.address,
        row.version,
        row.started_at,
        row.seen_at,
        connections,
        devices,
        row.follows,
    )


# --- Homes ----------------------------------------------------------------------------------------

_CLAIM = """
INSERT INTO session_homes AS h (number, listener_id, epoch)
SELECT n, l.id, 1
FROM unnest(CAST(:numbers AS integer[])) AS n, session_listeners l
WHERE l.id = :listener
ORDER BY n
ON CONFLICT (number) DO UPDATE SET listener_id = excluded.listener_id,
    epoch = h.epoch + CAST(h.listener_id IS NULL AS integer)
WHERE h.listener_id IS NULL OR h.listener_id = excluded.listener_id
RETURNING h.number, h.epoch
"""

_HELD = """
SELECT h.number
FROM session_homes h
JOIN unnest(CAST(:numbers AS integer[]), CAST(:epochs AS bigint[])) AS e(number, epoch)
  ON e.number = h.number AND e.epoch = h.epoch
WHERE h.listener_id = :listener
ORDER BY h.number
FOR SHARE OF h
"""


async def claim(tx: Tx, listener_id: UUID, numbers: Iterable[int]) -> dict[int, int]:
    """Make a listener the home of devices that have none; give the epochs of its own."""
    rows = await tx.execute(_CLAIM, {"listener": listener_id, "numbers": list(numbers)})
    return {row.number: row.epoch for row in rows}


async def homes_of(tx: Tx, numbers: Iterable[int]) -> dict[int, Listener]:
    """Tell at which listener devices are at home; those that are nowhere are left out."""
    rows = await tx.execute(
        select(session_homes.c.number, session_listeners)
        .join(session_listeners, session_listeners.c.id == session_homes.c.listener_id)
        .where(session_homes.c.number == func.any(list(numbers)))
    )
    return {row.number: _listener(row) for row in rows}


async def hold(tx: Tx, listener_id: UUID, homes: Mapping[int, int]) -> set[int]:
    """Tell which devices are still at home at a listener, by their epochs.

    They stay so until the end of the transaction, and are not removed meanwhile.
    """
    values = {"numbers": list(homes), "epochs": list(homes.values()), "listener": listener_id}
    return {row.number for row in await tx.execute(_HELD, values)}


async def release(tx: Tx, listener_id: UUID, numbers: Iterable[int]) -> None:
    """Let devices be at home nowhere that were at a listener."""
    await tx.execute(
        update(session_homes)
        .where(
            session_homes.c.number == func.any(list(numbers)),
            session_homes.c.listener_id == listener_id,
        )
        .values(listener_id=None)
    )
