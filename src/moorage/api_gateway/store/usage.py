"""What was asked of the API, by the hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..model import USAGE_KEPT, Asker, Counts, Total, Usage, WantedUsage
from ..tables import meters, usage

_COUNTED = tuple(field.name for field in fields(Counts))
# A meter that wrote nothing for so long belongs to a process that is gone.
_LOST = timedelta(days=1)


async def claim_batch(tx: Tx, meter_id: UUID, batch: int) -> bool:
    """Tell whether a meter's batch is still to be added; from now on it is not."""
    rows = await tx.execute(
        insert(meters)
        .values(id=meter_id, batch=batch, at=tx.now)
        .on_conflict_do_update(
            index_elements=[meters.c.id],
            set_={"batch": batch, "at": tx.now},
            where=meters.c.batch < batch,
        )
        .returning(meters.c.id)
    )
    return rows.one_or_none() is not None


async def add(tx: Tx, counts: Mapping[tuple[datetime, Asker], Counts]) -> None:
    """Add counts to what is there."""
    # In one order, so that two processes that add at once do not wait for each other.
    rows = [
        {"id": uuid7(), "hour": hour, **asdict(asker), **asdict(counted)}
        for (hour, asker), counted in sorted(counts.items(), key=_order)
    ]
    statement = insert(usage)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[
                usage.c.caller_id, usage.c.hour, usage.c.area, usage.c.client_id,
                usage.c.organization_id,
            ],
            set_={name: usage.c[name] + statement.excluded[name] for name in _COUNTED},
        ),
        rows,
    )  # fmt: skip


def _order(one: tuple[tuple[datetime, Asker], Counts]) -> tuple[str, ...]:
    (hour, asker), _ = one
    return (str(asker.caller_id), hour.isoformat(), asker.area, str(asker.client_id),
            str(asker.organization_id))  # fmt: skip


def _wanted(query: Select[Any], seen: Reach, own: UUID, wanted: WantedUsage) -> Select[Any]:
    column = usage.c
    if not seen.everywhere:
        query = query.where(
            or_(column.caller_id == own, column.organization_id.in_(seen.organization_ids))
        )
    for name in ("organization_id", "caller_id", "client_id", "area"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(column[name] == value)
    if wanted.from_ is not None:
        query = query.where(column.hour >= wanted.from_)
    if wanted.to is not None:
        query = query.where(column.hour < wanted.to)
    return query


def _read(row: Any) -> Usage:
    return Usage(**{field.name: getattr(row, field.name) for field in fields(Usage)})


async def list_usage(
    tx: Tx, seen: Reach, own: UUID, asked: pages.PageRequest, wanted: WantedUsage
) -> pages.Page[Usage]:
    """Read a page of the usage of organisations in `seen`, and of the caller `own`."""
    return await pages.page(
        tx,
        _wanted(select(usage), seen, own, wanted),
        asked,
        sorts={"hour": usage.c.hour},
        default="-hour",
        key=usage.c.id,
        read=_read,
    )


async def usage_after(
    tx: Tx,
    seen: Reach,
    own: UUID,
    wanted: WantedUsage,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Usage]:
    """Read the next of them, oldest first."""
    query = _wanted(select(usage), seen, own, wanted)
    if after is not None:
        query = query.where(tuple_(usage.c.hour, usage.c.id) > tuple_(*after))
    rows = await tx.execute(query.order_by(usage.c.hour, usage.c.id).limit(limit))
    return [_read(row) for row in rows]


async def totals(
    tx: Tx, seen: Reach, own: UUID, wanted: WantedUsage, limit: int
) -> Sequence[Total]:
    """Add up by caller and client, those with the most calls first."""
    by = [usage.c[n] for n in ("caller_kind", "caller_id", "client_id", "organization_id")]
    sums = [func.sum(usage.c[name]).label(name) for name in _COUNTED]
    last = func.max(usage.c.hour).label("last_hour")
    query = _wanted(select(*by, *sums, last), seen, own, wanted).group_by(*by)
    rows = await tx.execute(
        query.order_by(func.sum(usage.c.calls).desc(), usage.c.caller_id).limit(limit)
    )
    return [
        Total(**{**row, **{name: int(row[name]) for name in _COUNTED}}) for row in rows.mappings()
    ]


async def drop_old(tx: Tx) -> None:
    """Delete what is no longer kept."""
    await tx.execute(delete(usage).where(usage.c.hour < tx.now - USAGE_KEPT))
    await tx.execute(delete(meters).where(meters.c.at < tx.now - _LOST))
