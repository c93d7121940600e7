"""What became of deliveries: counts, log, health, dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import SYSTEM_ID
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import DeadLetterUnknown
from ..model import Content, DeadLetter, Health, LogEntry, Outcome, Pending, Reason, Result
from ..tables import (
    target_counts,
    target_health,
    target_letters,
    target_log,
    target_outbox,
    targets,
)
from .outbox import Entry

_content = msgspec.msgpack.Decoder(Content)
KEPT_LOG_ENTRIES = 1_000


async def count(tx: Tx, what: str, counts: Mapping[tuple[UUID, date], int]) -> set[UUID]:
    """Add to the counts of `what` by target and day; in one order, so that nobody deadlocks.

    A target may have been removed since its messages were read: there is nothing to count then.
    Those that are there are given back, and stay until the transaction ends.
    """
    wanted = {target for target, _day in counts}
    there = select(targets.c.id).where(targets.c.id.in_(wanted)).order_by(targets.c.id)
    kept = set((await tx.execute(there.with_for_update(key_share=True, read=True))).scalars())
    rows = [
        {"target_id": target, "day": day, "what": what, "count": number}
        for (target, day), number in sorted(counts.items())
        if target in kept
    ]
    if not rows:
        return kept
    statement = insert(target_counts).values(rows)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["target_id", "day", "what"],
            set_={"count": target_counts.c.count + statement.excluded.count},
        )
    )
    return kept


async def totals(tx: Tx) -> dict[str, int]:
    """Count deliveries of all targets together, by what became of them."""
    query = select(target_counts.c.what, func.sum(target_counts.c.count).label("number"))
    rows = await tx.execute(query.group_by(target_counts.c.what))
    return {row.what: int(row.number) for row in rows}


async def count_by_health(tx: Tx) -> dict[str, int]:
    """Count targets by how they fare."""
    rows = await tx.execute(
        select(target_health.c.state, func.count().label("number")).group_by(target_health.c.state)
    )
    return {row.state: row.number for row in rows}


async def statement_rows(
    tx: Tx, target_id: UUID, first: date, last: date
) -> tuple[dict[tuple[date, str], int], dict[date, int]]:
    """Read the counts by day and kind, and what still waits by day."""
    counted = await tx.execute(
        select(
            target_counts.c.day, target_counts.c.what, target_counts.c.count.label("number")
        ).where(target_counts.c.target_id == target_id, target_counts.c.day.between(first, last))
    )
    waiting = await tx.execute(
        select(target_outbox.c.day, func.count().label("number"))
        .where(target_outbox.c.target_id == target_id, target_outbox.c.day.between(first, last))
        .group_by(target_outbox.c.day)
    )
    by_kind = {(row.day, row.what): row.number for row in counted}
    return by_kind, {row.day: row.number for row in waiting}


async def set_health(tx: Tx, target_id: UUID, health: Health) -> None:
    """Write how a target fares; a target removed meanwhile is left alone."""
    values = {**asdict(health), "state": health.state.value, "since": health.since or tx.now}
    await tx.execute(
        insert(target_health)
        .values(target_id=target_id, **values)
        .on_conflict_do_update(index_elements=["target_id"], set_=values)
    )


# --- Log ------------------------------------------------------------------


async def log_attempts(
    tx: Tx,
    target_id: UUID,
    attempts: Sequence[tuple[datetime, Content, str, int, Result]],
) -> None:
    """Write attempts (instant, content, key, attempt, result) into the target's log."""
    await tx.execute(
        insert(target_log),
        [
            {
                "target_id": target_id,
                "at": at,
                "outcome": result.outcome.value,
                "device_id": UUID(content.device_id) if content.device_id else None,
                "message_id": content.message_id,
                "key": key,
                "attempt": attempt,
                "status": result.status,
                "latency_ms": result.latency_ms,
                "detail": result.detail,
                "answer": result.answer,
            }
            for at, content, key, attempt, result in attempts
        ],
    )


async def trim_log(tx: Tx) -> None:
    """Keep the newest entries of each target."""
    await tx.execute(
        "DELETE FROM target_log l USING ("
        " SELECT target_id, (SELECT n FROM target_log o WHERE o.target_id = t.target_id"
        "  ORDER BY n DESC OFFSET :kept LIMIT 1) AS upto"
        " FROM (SELECT DISTINCT target_id FROM target_log) t"
        ") old WHERE l.target_id = old.target_id AND l.n <= old.upto",
        {"kept": KEPT_LOG_ENTRIES},
    )


def _log_entry(row: Any) -> LogEntry:
    values = {c.name: getattr(row, c.name) for c in target_log.c if c.name != "target_id"}
    values["outcome"] = Outcome(row.outcome)
    return LogEntry(**values)


async def list_log(
    tx: Tx, target_id: UUID, asked: pages.PageRequest, *, failures: bool
) -> pages.Page[LogEntry]:
    """Read a page of a target's log, newest first."""
    query = select(target_log).where(target_log.c.target_id == target_id)
    if failures:
        query = query.where(target_log.c.outcome != Outcome.ACCEPTED.value)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"n": target_log.c.n},
        default="-n",
        key=target_log.c.n,
        read=_log_entry,
    )


# --- Dead letters ---------------------------------------------------------


def _letter(row: Any) -> DeadLetter:
    values = {c.name: getattr(row, c.name) for c in target_letters.c if c.name != "created_by"}
    values["content"] = _content.decode(row.content)
    values["reason"] = Reason(row.reason)
    return DeadLetter(**values)


async def add_letters(
    tx: Tx, target_id: UUID, given_up: Sequence[tuple[Pending | Entry, Reason, Result]]
) -> None:
    """Keep messages that were given up."""
    await tx.execute(
        insert(target_letters),
        [
            {
                "id": uuid7(),
                "target_id": target_id,
                "route_id": row.route_id,
                "device": row.device,
                "key": row.key,
                "content": row.content,
                "enqueued_at": row.enqueued_at,
                "day": row.day,
                "attempts": row.attempts,
                "reason": reason.value,
                "status": result.status,
                "detail": result.detail,
                "answer": result.answer,
                **tx.stamp(SYSTEM_ID),
            }
            for row, reason, result in given_up
        ],
    )


async def get_letter(tx: Tx, target_id: UUID, letter_id: UUID, *, lock: bool = False) -> DeadLetter:
    """Read one. Raises DeadLetterUnknown."""
    query = select(target_letters).where(
        target_letters.c.target_id == target_id, target_letters.c.id == letter_id
    )
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise DeadLetterUnknown(id=letter_id)
    return _letter(row)


async def list_letters(
    tx: Tx, target_id: UUID, asked: pages.PageRequest, *, reason: Reason | None = None
) -> pages.Page[DeadLetter]:
    """Read a page of a target's dead letters, newest first."""
    query = select(target_letters).where(target_letters.c.target_id == target_id)
    if reason is not None:
        query = query.where(target_letters.c.reason == reason.value)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"createdAt": target_letters.c.created_at},
        default="-createdAt",
        key=target_letters.c.id,
        read=_letter,
    )


async def change_letter(tx: Tx, letter_id: UUID, content: Content) -> None:
    """Change what a dead letter carries."""
    await tx.execute(
        update(target_letters)
        .where(target_letters.c.id == letter_id)
        .values(content=msgspec.msgpack.encode(content), **tx.restamp())
    )


async def take_letters(
    tx: Tx, target_id: UUID, letter_id: UUID | None, *, limit: int
) -> list[tuple[UUID, int, UUID, bytes, date]]:
    """Take dead letters out, oldest first: (route, device, key, content, day)."""
    chosen = (
        select(target_letters.c.id)
        .where(target_letters.c.target_id == target_id)
        .order_by(target_letters.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if letter_id is not None:
        chosen = chosen.where(target_letters.c.id == letter_id)
    rows = await tx.execute(
        delete(target_letters)
        .where(target_letters.c.id.in_(chosen))
        .returning(
            target_letters.c.id,
            target_letters.c.route_id,
            target_letters.c.device,
            target_letters.c.key,
            target_letters.c.content,
            target_letters.c.day,
        )
    )
    return [
        (row.route_id, row.device, row.key, row.content, row.day)
        for row in sorted(rows, key=lambda row: row.id)
    ]


async def discard_letters(
    tx: Tx, target_id: UUID, letter_id: UUID | None, *, limit: int
) -> dict[date, int]:
    """Throw dead letters away; tell how many of each day."""
    thrown: dict[date, int] = {}
    for *_rest, day in await take_letters(tx, target_id, letter_id, limit=limit):
        thrown[day] = thrown.get(day, 0) + 1
    return thrown
