"""The only SQL about collectors: where the audit is sent, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, select, text, tuple_, update
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.db import Tx
from moorage.kit.facts import facts

from ..errors import CollectorNameTaken, CollectorUnknown
from ..model import Checkpoint, Collector, Content, FactEntry, NewCollector, SystemEntry
from ..tables import audit_chains, audit_checkpoints, audit_collectors, system_log
from ..tables import audit_collector_states as states
from . import checkpoints

_FACT = [facts.c[f.name] for f in fields(FactEntry)]
_ENTRY = [system_log.c[f.name] for f in fields(SystemEntry)]


def _query() -> Select[Any]:
    kept = [c for c in (*audit_collectors.c, *states.c) if c.name in Collector.__slots__]
    token = audit_collectors.c.sealed_token.is_not(None).label("has_token")
    return select(*kept, token).join(states, states.c.collector_id == audit_collectors.c.id)


def _collector(row: Any) -> Collector:
    values = {name: getattr(row, name) for name in Collector.__slots__}
    return Collector(**values | {"contents": tuple(map(Content, row.contents))})


async def add(tx: Tx, id_: UUID, new: NewCollector, sealed_token: bytes | None) -> Collector:
    """Insert `new`, to begin where it says. Raises CollectorNameTaken."""
    values = {
        "id": id_,
        "name": new.name,
        "url": new.url,
        "contents": [one.value for one in new.contents],
        "authority": new.authority,
        "sealed_token": sealed_token,
    }
    try:
        async with tx.connection.begin_nested():
            await tx.execute(insert(audit_collectors).values(**values, **tx.stamp()))
    except IntegrityError as taken:
        raise CollectorNameTaken(name=new.name) from taken
    start = {"number": 0, "log_transaction": 0, "log_id": 0, "checkpoint_id": 0}
    if not new.from_start:
        start = dict((await tx.execute(_NOW)).mappings().one())
    await tx.execute(insert(states).values(collector_id=id_, **start))
    return await get(tx, id_)


_NOW = select(
    select(func.coalesce(func.max(audit_chains.c.number), 0)).scalar_subquery().label("number"),
    text("pg_current_xact_id()::text::bigint AS log_transaction"),
    text("0 AS log_id"),
    select(func.coalesce(func.max(audit_checkpoints.c.id), 0))
    .scalar_subquery()
    .label("checkpoint_id"),
)


async def get(tx: Tx, id_: UUID, *, lock: bool = False) -> Collector:
    """Read one. Raises CollectorUnknown."""
    query = _query().where(audit_collectors.c.id == id_)
    if lock:
        query = query.with_for_update(of=audit_collectors)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise CollectorUnknown(id=id_)
    return _collector(row)


async def list_collectors(tx: Tx, asked: pages.PageRequest) -> pages.Page[Collector]:
    """Read a page of all of them."""
    return await pages.page(
        tx,
        _query(),
        asked,
        sorts={"name": audit_collectors.c.name, "createdAt": audit_collectors.c.created_at},
        default="name",
        key=audit_collectors.c.id,
        read=_collector,
    )


async def active(tx: Tx) -> list[Collector]:
    """Read those that are not paused."""
    rows = await tx.execute(_query().where(~audit_collectors.c.paused))
    return [_collector(row) for row in rows]


async def change(tx: Tx, id_: UUID, changes: Mapping[str, Any]) -> Collector:
    """Change columns. Raises CollectorUnknown, CollectorNameTaken."""
    statement = update(audit_collectors).where(audit_collectors.c.id == id_)
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement.values(**dict(changes) | tx.restamp()))
    except IntegrityError as taken:
        raise CollectorNameTaken(name=changes.get("name")) from taken
    return await get(tx, id_)


async def remove(tx: Tx, id_: UUID) -> None:
    """Delete one with its position."""
    await tx.execute(delete(audit_collectors).where(audit_collectors.c.id == id_))


async def count(tx: Tx) -> int:
    """Count all of them."""
    number: int = (
        await tx.execute(select(func.count()).select_from(audit_collectors))
    ).scalar_one()
    return number


async def sealed_token(tx: Tx, id_: UUID) -> bytes | None:
    """Read the sealed token."""
    query = select(audit_collectors.c.sealed_token).where(audit_collectors.c.id == id_)
    token: bytes | None = (await tx.execute(query)).scalar_one_or_none()
    return token


async def sealed_tokens(tx: Tx) -> dict[UUID, bytes]:
    """Read all sealed tokens."""
    kept = audit_collectors.c.sealed_token
    rows = await tx.execute(select(audit_collectors.c.id, kept).where(kept.is_not(None)))
    return {row.id: row.sealed_token for row in rows}


async def reseal(tx: Tx, id_: UUID, sealed: bytes) -> None:
    """Replace the sealed token; no change of the collector as such."""
    await tx.execute(
        update(audit_collectors).where(audit_collectors.c.id == id_).values(sealed_token=sealed)
    )


# --- What is sent ---------------------------------------------------------


async def facts_after(tx: Tx, number: int, limit: int) -> list[FactEntry]:
    """Read numbered facts, of all organizations."""
    query = select(*_FACT).where(facts.c.number > number).order_by(facts.c.number).limit(limit)
    return [FactEntry(**row) for row in (await tx.execute(query)).mappings()]


async def log_after(
    tx: Tx, transaction: int, id_: int, limit: int
) -> list[tuple[int, SystemEntry]]:
    """Read entries of the system log, each with its transaction; none can come to stand before."""
    below = text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    here = tuple_(system_log.c.transaction, system_log.c.id)
    query = (
        select(system_log.c.transaction, *_ENTRY)
        .where(here > tuple_(transaction, id_), system_log.c.transaction < below)
        .order_by(system_log.c.transaction, system_log.c.id)
        .limit(limit)
    )
    return [
        (
            row.transaction,
            SystemEntry(**{f.name: getattr(row, f.name) for f in fields(SystemEntry)}),
        )
        for row in await tx.execute(query)
    ]


async def checkpoints_after(tx: Tx, id_: int, limit: int) -> list[Checkpoint]:
    """Read checkpoints in the order of their writing."""
    return await checkpoints.after(tx, id_, limit)


async def note_taken(tx: Tx, id_: UUID, position: Mapping[str, int]) -> None:
    """Note that everything up to a position was taken."""
    await tx.execute(
        update(states)
        .where(states.c.collector_id == id_)
        .values(**position, taken_at=tx.now, failing_since=None, error="")
    )


async def note_failed(tx: Tx, id_: UUID, error: str) -> None:
    """Note that nothing gets through, and why."""
    await tx.execute(
        update(states)
        .where(states.c.collector_id == id_)
        .values(failing_since=func.coalesce(states.c.failing_since, tx.now), error=error[:500])
    )
