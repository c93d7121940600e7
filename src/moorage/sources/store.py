"""The only SQL about sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.devices import CalledBy
from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from .errors import SourceNameTaken, SourceUnknown
from .model import (
    LOST_AFTER,
    BrokerKind,
    BrokerSession,
    Health,
    LogEntry,
    NewSource,
    Outcome,
    Source,
    State,
    Subscription,
    Version,
)
from .tables import source_devices, source_log, source_states, sources

KEEP_LOG = 1_000
ARRIVALS_CHANNEL = "moorage_arrivals"
_SPECIAL = frozenset(
    ("version", "front", "subscriptions", "called_by", "secret_names", "sealed_secrets")
)
_PLAIN = tuple(c.name for c in sources.c if c.name not in _SPECIAL)
_HEALTH = tuple(name for name in Health.__dataclass_fields__ if name != "state")


def _query() -> Select[Any]:
    health = [c.label(f"health_{c.name}") for c in source_states.c if c.name != "source_id"]
    return select(sources, *health).outerjoin(
        source_states, source_states.c.source_id == sources.c.id
    )


def _source(row: Any, tx: Tx) -> Source:
    health = Health()
    if row.health_state is not None:
        found = {name: getattr(row, f"health_{name}") for name in _HEALTH}
        health = Health(State(row.health_state), **found)
        if row.paused or row.health_beat_at < tx.now - LOST_AFTER:
            health = replace(health, state=State.IDLE, retry_at=None)
    return Source(
        **{name: getattr(row, name) for name in _PLAIN},
        version=Version(row.version),
        front=row.front and BrokerKind(row.front),
        called_by=CalledBy(row.called_by),
        subscriptions=tuple(Subscription(**one) for one in row.subscriptions),
        secrets=tuple(row.secret_names),
        health=health,
    )


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a source's nouns into what its columns hold."""
    columns = dict(values)
    if "subscriptions" in columns:
        columns["subscriptions"] = [asdict(one) for one in columns["subscriptions"]]
    return columns


async def add(tx: Tx, source_id: UUID, new: NewSource, sealed: bytes | None) -> Source:
    """Insert `new`. Raises SourceNameTaken."""
    values = {name: getattr(new, name) for name in NewSource.__dataclass_fields__}
    names = sorted(values.pop("secrets"))
    statement = (
        insert(sources)
        .values(
            id=source_id, secret_names=names, sealed_secrets=sealed, paused=False,
            **_columns(values), **tx.stamp(),
        )
        .on_conflict_do_nothing(
            index_elements=[sources.c.organization_id, func.lower(sources.c.name)]
        )
        .returning(sources.c.id)
    )  # fmt: skip
    if (await tx.execute(statement)).scalar_one_or_none() is None:
        raise SourceNameTaken(name=new.name)
    return await get(tx, source_id)


async def count(tx: Tx, organization_id: UUID | None) -> int:
    """Count an organisation's sources, or the installation's."""
    query = select(func.count()).where(
        sources.c.organization_id.is_not_distinct_from(organization_id)
    )
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def get(tx: Tx, source_id: UUID, *, lock: bool = False) -> Source:
    """Read one. Raises SourceUnknown."""
    query = _query().where(sources.c.id == source_id)
    if lock:
        query = query.with_for_update(of=sources)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise SourceUnknown(id=source_id)
    return _source(row, tx)


async def list_sources(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    q: str | None,
) -> pages.Page[Source]:
    """Read a page of what `seen` allows."""
    query = _query()
    if not seen.everywhere:
        query = query.where(sources.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(sources.c.organization_id == organization_id)
    if q:
        query = query.where(
            or_(
                sources.c.name.icontains(q, autoescape=True),
                sources.c.url.icontains(q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"name": func.lower(sources.c.name), "createdAt": sources.c.created_at},
        default="name",
        key=sources.c.id,
        read=lambda row: _source(row, tx),
    )


async def change(tx: Tx, source_id: UUID, changes: Mapping[str, Any]) -> Source:
    """Change columns. Raises SourceUnknown, SourceNameTaken."""
    values = _columns(changes) | tx.restamp()
    statement = update(sources).where(sources.c.id == source_id).values(**values)
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as taken:
        raise SourceNameTaken(name=changes.get("name")) from taken
    return await get(tx, source_id)


async def remove(tx: Tx, source_id: UUID) -> None:
    """Delete one with its log."""
    await tx.execute(delete(sources).where(sources.c.id == source_id))


# --- Secrets --------------------------------------------------------------


async def sealed_secrets(tx: Tx, source_id: UUID) -> bytes | None:
    """Read the sealed secrets of a source."""
    query = select(sources.c.sealed_secrets).where(sources.c.id == source_id)
    found: bytes | None = (await tx.execute(query)).scalar_one_or_none()
    return found


async def lock_sealed(tx: Tx) -> list[tuple[UUID, bytes]]:
    """Read the sealed secrets of all sources, which nobody changes meanwhile."""
    query = select(sources.c.id, sources.c.sealed_secrets).where(
        sources.c.sealed_secrets.is_not(None)
    )
    rows = await tx.execute(query.order_by(sources.c.id).with_for_update())
    return [(row.id, row.sealed_secrets) for row in rows]


async def put_sealed(tx: Tx, source_id: UUID, sealed: bytes) -> None:
    """Replace how a source's secrets are sealed."""
    await tx.execute(update(sources).where(sources.c.id == source_id).values(sealed_secrets=sealed))


# --- For whoever holds a source -------------------------------------------


async def to_hold(tx: Tx) -> dict[UUID, datetime]:
    """Tell which sources are not paused, and when each was changed."""
    query = select(sources.c.id, sources.c.updated_at).where(~sources.c.paused)
    rows = await tx.execute(query.order_by(sources.c.id))
    return {row.id: row.updated_at for row in rows}


async def session_of(tx: Tx, source_id: UUID) -> BrokerSession:
    """Read what the broker keeps for us."""
    query = select(source_states.c.session_number, source_states.c.subscribed).where(
        source_states.c.source_id == source_id
    )
    row = (await tx.execute(query)).one_or_none()
    return BrokerSession() if row is None else BrokerSession(row.session_number, row.subscribed)


async def put_session(tx: Tx, source_id: UUID, session: BrokerSession) -> None:
    """Write what the broker keeps for us; nothing of a source that is gone."""
    values = {"session_number": session.number, "subscribed": dict(session.subscribed)}
    await _put(tx, source_id, Health(since=tx.now), values, values)


async def put_health(
    tx: Tx,
    source_id: UUID,
    health: Health,
    more: Mapping[str, int],
    entries: Iterable[LogEntry],
) -> None:
    """Write how a source fares, and add to its counts and its log, where each `n` is given.

    Nothing is written of a source that is gone.
    """
    changed: dict[str, Any] = {
        name: getattr(health, name)
        for name in ("since", "connected_at", "failed_at", "error", "retry_at")
    }
    changed |= {"state": health.state.value, "beat_at": tx.now}
    if health.last_message_at is not None:
        changed["last_message_at"] = health.last_message_at
    changed |= {name: source_states.c[name] + number for name, number in more.items()}
    if not await _put(tx, source_id, health, dict(more), changed):
        return
    rows = [asdict(entry) | {"source_id": source_id} for entry in entries]
    for row in rows:
        del row["n"]
    if rows:
        await tx.execute(insert(source_log), rows)


async def _put(
    tx: Tx,
    source_id: UUID,
    health: Health,
    first: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> bool:
    known = select(sources.c.id).where(sources.c.id == source_id)
    if (await tx.execute(known.with_for_update(key_share=True, read=True))).first() is None:
        return False
    values = asdict(health) | {"session_number": 0, "subscribed": {}} | dict(first)
    await tx.execute(
        insert(source_states)
        .values(values | {"source_id": source_id, "beat_at": tx.now})
        .on_conflict_do_update(constraint="source_states_pkey", set_=dict(changed))
    )
    return True


async def list_log(
    tx: Tx, source_id: UUID, asked: pages.PageRequest, *, refused: bool
) -> pages.Page[LogEntry]:
    """Read a page of a source's log, newest first."""
    query = select(source_log).where(source_log.c.source_id == source_id)
    if refused:
        query = query.where(source_log.c.outcome == Outcome.REFUSED.value)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"n": source_log.c.n},
        default="-n",
        key=source_log.c.n,
        read=_entry,
    )


def _entry(row: Any) -> LogEntry:
    values = {name: getattr(row, name) for name in LogEntry.__dataclass_fields__}
    return LogEntry(**values | {"outcome": Outcome(row.outcome)})


async def trim_log(tx: Tx) -> None:
    """Keep the newest entries of each source."""
    await tx.execute(
        "DELETE FROM source_log AS l USING sources AS s WHERE l.source_id = s.id AND l.n < "
        "(SELECT n FROM source_log WHERE source_id = s.id ORDER BY n DESC OFFSET :most LIMIT 1)",
        {"most": KEEP_LOG - 1},
    )


# --- Who is at a broker in front ------------------------------------------


async def devices_at(tx: Tx, source_id: UUID) -> list[int]:
    """Read the numbers of the devices that are at a broker in front."""
    query = select(source_devices.c.device).where(source_devices.c.source_id == source_id)
    return [row.device for row in await tx.execute(query)]


async def came(tx: Tx, source_id: UUID, numbers: Iterable[int]) -> None:
    """Note that devices, which are known, are at a broker in front."""
    rows = [{"source_id": source_id, "device": number} for number in sorted(set(numbers))]
    if rows:
        await tx.execute(insert(source_devices).values(rows).on_conflict_do_nothing())


async def came_to(tx: Tx, arrivals: Mapping[UUID, Iterable[int]]) -> None:
    """Note who signed in at brokers in front, by the brokers' ids, and ring their holders."""
    for broker_id, numbers in arrivals.items():
        query = select(sources.c.id).where(sources.c.broker_id == broker_id)
        if (source_id := (await tx.execute(query)).scalar_one_or_none()) is not None:
            await came(tx, source_id, numbers)
            await tx.execute(
                "SELECT pg_notify(:channel, :source_id)",
                {"channel": ARRIVALS_CHANNEL, "source_id": str(source_id)},
            )


async def went(tx: Tx, source_id: UUID, numbers: Iterable[int]) -> None:
    """Note that devices left a broker in front."""
    gone = source_devices.c.device.in_(list(numbers))
    await tx.execute(delete(source_devices).where(source_devices.c.source_id == source_id, gone))


async def count_by_state(tx: Tx) -> dict[str, int]:
    """Count sources by how they fare, paused ones and those that nobody holds as idle."""
    alive = source_states.c.beat_at >= tx.now - LOST_AFTER
    query = select(source_states.c.state, func.count().label("number")).join(
        sources, sources.c.id == source_states.c.source_id
    )
    rows = await tx.execute(query.where(alive, ~sources.c.paused).group_by(source_states.c.state))
    found = {row.state: row.number for row in rows}
    everything: int = (await tx.execute(select(func.count()).select_from(sources))).scalar_one()
    idle = everything - sum(n for state, n in found.items() if state != State.IDLE)
    return found | {State.IDLE.value: idle}
