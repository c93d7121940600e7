"""The only SQL about sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.devices import CalledBy
from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..errors import SourceNameTaken, SourceUnknown
from ..model import (
    LOST_AFTER,
    BrokerKind,
    BrokerSession,
    Health,
    LogEntry,
    NewSource,
    Outcome,
    Share,
    Source,
    State,
    Subscription,
    Version,
)
from ..tables import source_log, source_states, sources
from . import arrivals as arrivals

KEEP_LOG = 1_000
_SPECIAL = frozenset(
    ("version", "front", "subscriptions", "called_by", "secret_names", "sealed_secrets")
)
_PLAIN = tuple(c.name for c in sources.c if c.name not in _SPECIAL)
_COUNTS = ("taken", "repeated", "refused")
_HEALTH = tuple(name for name in Health.__dataclass_fields__ if name != "state")


def _query() -> Select[Any]:
    """Read sources with how they fare: as the worst of their connections, with the counts of all.

    A connection that nobody holds just now says nothing while another one is held.
    """
    states = source_states.c
    counts = [func.sum(states[name]).over().label(name) for name in _COUNTS]
    told = [c for c in states if c.name not in ("source_id", "last_message_at", *_COUNTS)]
    last = func.max(states.last_message_at).over().label("last_message_at")
    worst = (
        select(*told, last, *counts)
        .where(states.source_id == sources.c.id)
        .order_by(
            states.beat_at < func.now() - LOST_AFTER, states.state != State.FAILING, states.since
        )
        .limit(1)
        .lateral()
    )
    health = [c.label(f"health_{c.name}") for c in worst.c]
    return select(sources, *health).outerjoin(worst, true())


def _source(row: Any, tx: Tx) -> Source:
    health = Health()
    if row.health_state is not None:
        found = {name: getattr(row, f"health_{name}") for name in _HEALTH}
        found |= {name: int(found[name]) for name in _COUNTS}
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


async def to_hold(tx: Tx) -> dict[Share, datetime]:
    """Tell which connections of sources are to be held, and when each source was changed.

    They are those of sources that are not paused, and those that a source has no longer, as long
    as its broker keeps a session for them.
    """
    kept = (source_states.c.source_id == sources.c.id) & (source_states.c.session_number != 0)
    query = (
        select(
            sources.c.id, sources.c.updated_at, sources.c.connections, source_states.c.connection
        )
        .outerjoin(source_states, kept)
        .where(~sources.c.paused)
        .order_by(sources.c.id)
    )
    wanted: dict[Share, datetime] = {}
    for row in await tx.execute(query):
        for number in range(row.connections):
            wanted[Share(row.id, number)] = row.updated_at
        if row.connection is not None:
            wanted[Share(row.id, row.connection)] = row.updated_at
    return wanted


def _of(share: Share) -> ColumnElement[bool]:
    states = source_states.c
    return (states.source_id == share.source_id) & (states.connection == share.number)


async def session_of(tx: Tx, share: Share) -> BrokerSession:
    """Read what the broker keeps for us on a connection."""
    query = select(source_states.c.session_number, source_states.c.subscribed).where(_of(share))
    row = (await tx.execute(query)).one_or_none()
    return BrokerSession() if row is None else BrokerSession(row.session_number, row.subscribed)


async def put_session(tx: Tx, share: Share, session: BrokerSession) -> None:
    """Write what the broker keeps for us; nothing of a source that is gone."""
    values = {"session_number": session.number, "subscribed": dict(session.subscribed)}
    await _put(tx, share, Health(since=tx.now), values, values)


async def forget_sessions(tx: Tx, source_id: UUID) -> None:
    """Note that the broker knows us no longer, on any connection."""
    states = source_states.c
    await tx.execute(
        update(source_states)
        .where(states.source_id == source_id)
        .values(session_number=0, subscribed={})
    )


async def put_health(
    tx: Tx,
    share: Share,
    health: Health,
    more: Mapping[str, int],
    entries: Iterable[LogEntry],
) -> None:
    """Write how a connection fares, and add to its counts and the log, where each `n` is given.

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
    if not await _put(tx, share, health, dict(more), changed):
        return
    rows = [asdict(entry) | {"source_id": share.source_id} for entry in entries]
    for row in rows:
        del row["n"]
    if rows:
        await tx.execute(insert(source_log), rows)


async def _put(
    tx: Tx, share: Share, health: Health, first: Mapping[str, Any], changed: Mapping[str, Any]
) -> bool:
    known = select(sources.c.id).where(sources.c.id == share.source_id)
    if (await tx.execute(known.with_for_update(key_share=True, read=True))).first() is None:
        return False
    values = asdict(health) | dict.fromkeys(_COUNTS, 0) | {"session_number": 0, "subscribed": {}}
    values |= dict(first) | {"source_id": share.source_id, "connection": share.number}
    await tx.execute(
        insert(source_states)
        .values(values | {"beat_at": tx.now})
        .on_conflict_do_update(constraint="source_states_pkey", set_=dict(changed))
    )
    return True


async def fails_elsewhere(tx: Tx, share: Share) -> bool:
    """Tell whether another connection of the source is known to fail."""
    states = source_states.c
    query = select(states.connection).where(
        states.source_id == share.source_id,
        states.connection != share.number,
        states.state == State.FAILING.value,
        states.beat_at >= tx.now - LOST_AFTER,
    )
    return (await tx.execute(query.limit(1))).first() is not None


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


async def count_by_state(tx: Tx) -> dict[str, int]:
    """Count sources by how they fare, paused ones and those that nobody holds as idle.

    One fails if any of its connections does.
    """
    alive = source_states.c.beat_at >= tx.now - LOST_AFTER
    fails = func.bool_or(source_states.c.state == State.FAILING.value)
    connected = func.bool_or(source_states.c.state == State.CONNECTED.value)
    query = (
        select(fails.label("fails"), connected.label("connected"))
        .join(sources, sources.c.id == source_states.c.source_id)
        .where(alive, ~sources.c.paused)
        .group_by(source_states.c.source_id)
    )
    found = dict.fromkeys((State.CONNECTED.value, State.FAILING.value), 0)
    for row in await tx.execute(query):
        if row.fails or row.connected:
            found[State.FAILING.value if row.fails else State.CONNECTED.value] += 1
    everything: int = (await tx.execute(select(func.count()).select_from(sources))).scalar_one()
    return found | {State.IDLE.value: everything - sum(found.values())}
