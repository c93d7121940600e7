"""Programs that are connected with an API key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, column, delete, or_, select, table
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx, to_json
from moorage.kit.ids import uuid7

from ..model import Measured, PresenceEvent, Program, ProgramFilter
from ..tables import session_listeners, session_programs

# Whose a key is stands in the slice of users below; a page is cut by it in SQL, so its table is
# known by name here.
_keys = table("user_api_keys", column("id", Uuid), column("name"), column("organization_id", Uuid))
_FIELDS = tuple(f.name for f in fields(Program))

_MEASURED = """
UPDATE session_programs p
SET figures = CAST(:figures AS jsonb), measured_at = :now
WHERE p.listener_id = :listener AND p.key_id = :key AND p.client_id = :client
"""


async def came(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    """Write connections; at most one event a key and client id."""
    rows = [
        {
            "id": uuid7(),
            "key_id": event.key_id,
            "client_id": event.client_id,
            "listener_id": listener_id,
            "connected_at": event.at,
            "protocol": event.protocol,
            "version": event.version,
            "address": event.address,
            "tls": event.tls,
            "terms": None if event.terms is None else asdict(event.terms),
            "figures": None,
            "measured_at": None,
        }
        for event in events
    ]
    statement = insert(session_programs)
    new = {name: statement.excluded[name] for name in rows[0]}
    await tx.execute(
        statement.on_conflict_do_update(constraint="session_programs_key", set_=new), rows
    )


async def went(tx: Tx, listener_id: UUID, events: Sequence[PresenceEvent]) -> None:
    """Remove connections."""
    for event in events:
        await tx.execute(
            delete(session_programs).where(
                session_programs.c.listener_id == listener_id,
                session_programs.c.key_id == event.key_id,
                session_programs.c.client_id == event.client_id,
            )
        )


async def end_all(tx: Tx, listener_ids: Iterable[UUID]) -> None:
    """Remove every connection of dead listeners."""
    await tx.execute(
        delete(session_programs).where(session_programs.c.listener_id.in_(list(listener_ids)))
    )


async def measured(tx: Tx, listener_id: UUID, found: Sequence[Measured]) -> None:
    """Write what was measured."""
    rows = [
        {
            "figures": to_json({k: n for k, n in asdict(one.figures).items() if n is not None}),
            "now": tx.now,
            "listener": listener_id,
            "key": one.key_id,
            "client": one.client_id,
        }
        for one in found
    ]
    for row in rows:
        await tx.execute(_MEASURED, row)


async def find(tx: Tx, program_id: UUID) -> Program | None:
    """Find a connection."""
    row = (await tx.execute(_all().where(session_programs.c.id == program_id))).one_or_none()
    return None if row is None else _program(row)


async def list_programs(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: ProgramFilter
) -> pages.Page[Program]:
    """Read a page of connections with the keys that `seen` allows."""
    query = _all()
    if not seen.everywhere:
        query = query.where(_keys.c.organization_id.in_(seen.organization_ids))
    if wanted.organization_id is not None:
        query = query.where(_keys.c.organization_id == wanted.organization_id)
    if wanted.key_id is not None:
        query = query.where(_keys.c.id == wanted.key_id)
    if wanted.q:
        searched = _keys.c.name, session_programs.c.client_id, session_programs.c.address
        query = query.where(or_(*(one.icontains(wanted.q, autoescape=True) for one in searched)))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"connectedAt": session_programs.c.connected_at, "keyName": _keys.c.name},
        default="-connectedAt",
        key=session_programs.c.id,
        read=_program,
    )


def _all() -> Select[Any]:
    return (
        select(
            session_programs,
            _keys.c.name.label("key_name"),
            _keys.c.organization_id,
            session_listeners.c.name.label("listener"),
        )
        .join(_keys, _keys.c.id == session_programs.c.key_id)
        .outerjoin(session_listeners, session_listeners.c.id == session_programs.c.listener_id)
    )


def _program(row: Any) -> Program:
    return Program(**{name: getattr(row, name) for name in _FIELDS})
