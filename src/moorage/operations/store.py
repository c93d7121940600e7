"""The only SQL about operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.devices import Device
from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.kit.reach import shows

from .errors import OperationUnknown
from .model import (
    ANSWERABLE,
    ANSWERED,
    OPEN,
    Claimed,
    Encoding,
    NewOperation,
    Operation,
    OperationFilter,
    OperationKind,
    OperationState,
)
from .tables import operations

OPERATIONS_CHANNEL = "moorage_operations"
_FIELDS = tuple(f.name for f in fields(Operation))
c = operations.c
# Literals rather than parameters, so that the partial indexes are used by prepared statements too.
_OPEN = c.state.in_([literal_column(f"'{state.value}'") for state in sorted(OPEN)])


def _operation(row: Any) -> Operation:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["kind"] = OperationKind(row.kind)
    values["state"] = OperationState(row.state)
    return Operation(**values)


async def add(
    tx: Tx, new: NewOperation, asked: Sequence[tuple[Device, Encoding]]
) -> dict[UUID, Operation]:
    """Insert one per device, ring for them, and give them by device.

    One whose encoding failed is an error from the start, and rings for nobody.
    """
    if not asked:
        return {}
    alike = {
        "kind": new.kind.value,
        "code": new.code,
        "payload": new.payload,
        "attempts": 0,
        "expires_at": tx.now + new.expires_in,
        "answer_within": new.answer_within,
        **tx.stamp(),
    }
    rows = [
        {
            "id": uuid7(),
            "device_id": device.id,
            "device_number": device.number,
            "application_id": device.application_id,
            "organization_id": device.organization_id,
            **alike,
            **_encoded(tx, encoding),
        }
        for device, encoding in asked
    ]
    made = await tx.execute(insert(operations).returning(operations), rows)
    found = {row.device_id: _operation(row) for row in made}
    await tx.execute(
        "SELECT pg_notify(:channel, number::text) FROM unnest(CAST(:numbers AS int[])) AS number",
        {
            "channel": OPERATIONS_CHANNEL,
            "numbers": [device.number for device, _ in asked if found[device.id].state in OPEN],
        },
    )
    return found


def _encoded(tx: Tx, encoding: Encoding) -> dict[str, Any]:
    """Give the columns that tell how it goes down, and whether it can."""
    failed = encoding.problem is not None
    return {
        "port": encoding.port,
        "encoded": encoding.payload,
        "decoder_id": encoding.decoder_id,
        "decoder_hash": encoding.decoder_hash,
        "problem": encoding.problem,
        "state": (OperationState.ERROR if failed else OperationState.PENDING).value,
        "finished_at": tx.now if failed else None,
    }


async def count_open(tx: Tx, numbers: Iterable[int]) -> dict[int, int]:
    """Count what waits for devices, by number; those that nothing waits for are left out."""
    query = select(c.device_number, func.count().label("waiting")).where(
        c.device_number == func.any(list(numbers)), _OPEN
    )
    found = await tx.execute(query.group_by(c.device_number))
    return {row.device_number: row.waiting for row in found}


async def get(tx: Tx, operation_id: UUID, *, lock: bool = False) -> Operation:
    """Read one. Raises OperationUnknown."""
    query = select(operations).where(c.id == operation_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise OperationUnknown(id=operation_id)
    return _operation(row)


async def list_operations(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: OperationFilter
) -> pages.Page[Operation]:
    """Read a page of what `seen` allows."""
    query = select(operations).where(
        shows(seen, c.organization_id, c.application_id, device_id=c.device_id)
    )
    for column, value in (
        (c.device_id, wanted.device_id),
        (c.application_id, wanted.application_id),
        (c.organization_id, wanted.organization_id),
        (c.code, wanted.code),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.states:
        query = query.where(c.state.in_(wanted.states))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"createdAt": c.created_at, "updatedAt": c.updated_at},
        default="-createdAt",
        key=c.id,
        read=_operation,
    )


async def claim(
    tx: Tx, numbers: Iterable[int], *, limit: int, again_after: timedelta
) -> list[Claimed]:
    """Take what waits for these devices, the oldest first; what others hold is passed over."""
    due = or_(
        c.state == OperationState.PENDING.value,
        and_(
            c.state == OperationState.SENT.value,
            c.delivered_at.is_(None),
            c.sent_at < tx.now - again_after,
        ),
        and_(c.state == OperationState.NOT_NOW.value, c.updated_at < tx.now - again_after),
    )
    chosen = (
        select(c.id)
        .where(c.device_number == func.any(list(numbers)), _OPEN, due, c.expires_at > tx.now)
        .order_by(c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
        # Not inlined: as a join it could be run twice and claim more than the limit.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    rows = await tx.execute(
        update(operations)
        .where(c.id.in_(select(chosen.c.id)))
        .values(
            state=OperationState.SENT.value,
            sent_at=tx.now,
            delivered_at=None,
            attempts=c.attempts + 1,
            updated_at=tx.now,
        )
        .returning(
            c.id,
            c.device_number,
            c.device_id,
            c.kind,
            c.code,
            c.payload,
            c.expires_at,
            c.attempts,
            c.port,
            c.encoded,
        )
    )
    claimed = [
        Claimed(
            row.id, row.device_number, row.device_id, OperationKind(row.kind), row.code,
            row.payload, row.expires_at, row.attempts, row.port, row.encoded,
        )
        for row in rows
    ]  # fmt: skip
    return sorted(claimed, key=lambda operation: operation.id)


async def unclaim(tx: Tx, operation_ids: Iterable[UUID]) -> None:
    """Put back what could not be handed to its device."""
    await tx.execute(
        update(operations)
        .where(
            c.id.in_(list(operation_ids)),
            c.state == OperationState.SENT.value,
            c.delivered_at.is_(None),
        )
        .values(state=OperationState.PENDING.value, updated_at=tx.now)
    )


async def delivered(tx: Tx, operation_ids: Iterable[UUID]) -> None:
    """Note what devices have taken."""
    await tx.execute(
        update(operations)
        .where(c.id.in_(list(operation_ids)), _OPEN, c.delivered_at.is_(None))
        .values(delivered_at=tx.now, updated_at=tx.now)
    )


async def report(
    tx: Tx,
    number: int,
    operation_id: UUID,
    state: OperationState,
    result: Any,
    problem: str | None,
) -> Operation | None:
    """Store what a device says of one of its operations; None if that changes nothing."""
    row = (
        await tx.execute(
            update(operations)
            .where(
                c.id == operation_id,
                c.device_number == number,
                c.state.in_(sorted(ANSWERABLE)),
            )
            .values(
                state=state.value,
                result=result,
                problem=problem,
                delivered_at=func.coalesce(c.delivered_at, tx.now),
                finished_at=tx.now if state in ANSWERED else None,
                updated_at=tx.now,
            )
            .returning(operations)
        )
    ).one_or_none()
    return None if row is None else _operation(row)


async def is_of(tx: Tx, number: int, operation_id: UUID) -> bool:
    """Tell whether the operation is one of the device's."""
    query = select(c.id).where(c.id == operation_id, c.device_number == number)
    return (await tx.execute(query)).one_or_none() is not None


async def cancel(tx: Tx, operation_id: UUID) -> Operation:
    """End one that is still open."""
    row = (
        await tx.execute(
            update(operations)
            .where(c.id == operation_id)
            .values(state=OperationState.CANCELLED.value, finished_at=tx.now, **tx.restamp())
            .returning(operations)
        )
    ).one()
    return _operation(row)


async def end_overdue(tx: Tx, limit: int) -> list[Operation]:
    """End what was not taken before it expired, or not answered in time after it was taken."""
    taken = c.delivered_at.is_not(None)
    heard = case((c.state == OperationState.IN_PROGRESS.value, c.updated_at), else_=c.delivered_at)
    overdue = or_(
        and_(~taken, c.expires_at <= tx.now),
        and_(c.state == OperationState.NOT_NOW.value, c.expires_at <= tx.now),
        and_(taken, c.state != OperationState.NOT_NOW.value, heard + c.answer_within <= tx.now),
    )
    chosen = select(c.id).where(_OPEN, overdue).limit(limit).with_for_update(skip_locked=True)
    end = case(
        (or_(~taken, c.state == OperationState.NOT_NOW.value), OperationState.EXPIRED.value),
        else_=OperationState.TIMED_OUT.value,
    )
    rows = await tx.execute(
        update(operations)
        .where(c.id.in_(chosen))
        .values(state=end, finished_at=tx.now, updated_at=tx.now)
        .returning(operations)
    )
    return [_operation(row) for row in rows]


async def remove_finished(tx: Tx, own: Mapping[UUID, datetime], others: datetime, most: int) -> int:
    """Delete what was finished before an application's time, at most so many; tell how many.

    Args:
        tx: the transaction.
        own: until when, of the applications that have a time of their own.
        others: until when, of all others.
        most: how many rows at most.
    """
    removed = await tx.execute(
        _REMOVE,
        {
            "applications": list(own),
            "until": list(own.values()),
            "others": others,
            "most": most,
        },
    )
    return removed.rowcount


# What was finished was made before, so the index of an application's operations serves.
_REMOVE = """
WITH due AS (
  SELECT found.id
  FROM unnest(CAST(:applications AS uuid[]), CAST(:until AS timestamptz[]))
    AS own (application_id, until)
  CROSS JOIN LATERAL (
    SELECT id FROM operations
    WHERE application_id = own.application_id
      AND created_at < own.until AND finished_at < own.until
    LIMIT :most
  ) AS found
  UNION ALL
  SELECT id FROM operations
  WHERE finished_at < :others AND application_id <> ALL (CAST(:applications AS uuid[]))
)
DELETE FROM operations WHERE id IN (SELECT id FROM due LIMIT :most)
"""
