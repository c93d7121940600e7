"""The only SQL of messages in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage import ledger
from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.kit.reach import shows

from .model import RefusalRow
from .ports import Refusal
from .tables import demands, refusals, shed, showing, usage


async def count_refusals(tx: Tx, counted: Mapping[Refusal, tuple[int, Any]]) -> None:
    """Add to the count of each kind of refusal; the value holds the count and whose device."""
    rows = []
    for refusal, (count, sender) in counted.items():
        text = "\n".join(
            (refusal.reason, refusal.detail, refusal.protocol, refusal.address, refusal.hint)
        )
        digest = hashlib.sha256(f"{text}\n{refusal.device}".encode()).digest()
        rows.append(
            {
                "id": uuid7(),
                "digest": digest,
                "reason": refusal.reason,
                "detail": refusal.detail,
                "protocol": refusal.protocol,
                "address": refusal.address,
                "hint": refusal.hint,
                "device_id": sender and sender.device_id,
                "organization_id": sender and sender.organization_id,
                "application_id": sender and sender.application_id,
                "first_at": tx.now,
                "last_at": tx.now,
                "count": count,
            }
        )
    rows.sort(key=lambda row: row["digest"])
    statement = insert(refusals)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[refusals.c.digest],
            set_={
                "count": refusals.c.count + statement.excluded.count,
                "last_at": statement.excluded.last_at,
            },
        ),
        rows,
    )


async def list_refusals(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    since: datetime | None,
    device_id: UUID | None,
) -> pages.Page[RefusalRow]:
    """Read a page of what `seen` allows; strangers' only where everything may be seen."""
    c = refusals.c
    query = select(refusals).where(
        shows(seen, c.organization_id, c.application_id, device_id=c.device_id)
    )
    if since is not None:
        query = query.where(refusals.c.last_at >= since)
    if device_id is not None:
        query = query.where(refusals.c.device_id == device_id)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"lastAt": refusals.c.last_at, "count": refusals.c.count},
        default="-lastAt",
        key=refusals.c.id,
        read=_refusal,
    )


def _refusal(row: Any) -> RefusalRow:
    return RefusalRow(**{name: getattr(row, name) for name in RefusalRow.__dataclass_fields__})


async def count_by_reason(tx: Tx) -> dict[tuple[str, str], int]:
    """Count what was turned away by reason and protocol."""
    kinds = refusals.c.reason, refusals.c.protocol
    query = select(*kinds, func.sum(refusals.c.count).label("number")).group_by(*kinds)
    return {(row.reason, row.protocol): int(row.number) for row in await tx.execute(query)}


async def forget_refusals(tx: Tx, before: datetime) -> None:
    """Delete what was last seen before an instant."""
    await tx.execute(delete(refusals).where(refusals.c.last_at < before))


async def add_shed(tx: Tx, counted: Mapping[str, int]) -> None:
    """Add to the count of messages not taken, by reason."""
    rows = [{"reason": reason, "count": count} for reason, count in sorted(counted.items())]
    statement = insert(shed)
    await tx.execute(
        statement.on_conflict_do_update(
            constraint="ingest_shed_pkey",
            set_={"count": shed.c.count + statement.excluded.count},
        ),
        rows,
    )


async def count_shed(tx: Tx) -> dict[str, int]:
    """Read the count of messages not taken, by reason."""
    rows = await tx.execute(select(shed.c.reason, shed.c.count.label("total")))
    return {row.reason: row.total for row in rows}


async def put_demands(tx: Tx, door: UUID, rates: Mapping[tuple[UUID, str], float]) -> None:
    """Write how much a door was asked for lately."""
    rows = [
        {"door": door, "owner": owner, "quota": quota, "rate": rate, "at": tx.now}
        for (owner, quota), rate in rates.items()
    ]
    statement = insert(demands)
    await tx.execute(
        statement.on_conflict_do_update(
            constraint="ingest_demands_pkey",
            set_={"rate": statement.excluded.rate, "at": statement.excluded.at},
        ),
        rows,
    )


async def sum_demands(tx: Tx, since: datetime) -> dict[tuple[UUID, str], tuple[float, int]]:
    """Sum up what all doors were asked for, and count the doors, by owner and quota."""
    c = demands.c
    query = (
        select(c.owner, c.quota, func.sum(c.rate).label("rate"), func.count().label("doors"))
        .where(c.at >= since)
        .group_by(c.owner, c.quota)
    )
    return {(r.owner, r.quota): (r.rate, r.doors) for r in await tx.execute(query)}


async def forget_demands(tx: Tx, before: datetime) -> None:
    """Forget doors that have stopped."""
    await tx.execute(delete(demands).where(demands.c.at < before))


async def put_usage(tx: Tx, used: Mapping[tuple[UUID, str], int]) -> None:
    """Write what was measured in place of all before."""
    await tx.execute(delete(usage))
    rows = [
        {"owner": owner, "quota": quota, "used": count} for (owner, quota), count in used.items()
    ]
    if rows:
        await tx.execute(insert(usage), rows)


async def read_usage(tx: Tx) -> dict[tuple[UUID, str], int]:
    """Read what was measured last."""
    return {(row.owner, row.quota): row.used for row in await tx.execute(select(usage))}


# Who reads for programs says so every two seconds, by the clock of the database. Silent for so
# long, another goes on from there.
_READER_PATIENCE = timedelta(seconds=6)
# Where nobody read for so long, nobody waits for what has been.
_FORGET_PLACES = timedelta(seconds=30)
_ONE = 1

_READ_ON = """
INSERT INTO ingest_showing AS s (id, reader, read_at, places)
VALUES (:id, :reader, now(), '{}')
ON CONFLICT (id) DO UPDATE SET reader = excluded.reader, read_at = excluded.read_at,
    places = CASE WHEN s.reader IS NULL OR s.read_at < now() - CAST(:forget AS interval)
        THEN '{}' ELSE s.places END
WHERE s.reader IS NULL OR s.reader = :reader OR s.read_at < now() - CAST(:patience AS interval)
RETURNING places
"""


async def read_on(tx: Tx, reader: UUID) -> dict[int, ledger.Position] | None:
    """Take the turn to read for programs; None if somebody else has it.

    Gives how far it was read, by partition; nothing if it begins at the end.
    """
    asked = {
        "id": _ONE,
        "reader": reader,
        "forget": _FORGET_PLACES,
        "patience": _READER_PATIENCE,
    }
    row = (await tx.execute(_READ_ON, asked)).one_or_none()
    if row is None:
        return None
    return {
        int(partition): ledger.Position(next_n, date.fromisoformat(day))
        for partition, (next_n, day) in row.places.items()
    }


async def keep_places(tx: Tx, places: Mapping[int, ledger.Position]) -> None:
    """Note how far it was read for programs, by who has the turn."""
    kept = {str(partition): [at.next, at.day.isoformat()] for partition, at in places.items()}
    await tx.execute(update(showing).where(showing.c.id == _ONE).values(places=kept))


async def stop_reading(tx: Tx, reader: UUID) -> None:
    """Give up the turn to read for programs."""
    await tx.execute(update(showing).where(showing.c.reader == reader).values(reader=None))


async def ring(tx: Tx, channel: str) -> None:
    """Ring a doorbell."""
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": channel})
