"""Rows that go: past their retention, or of devices that are no more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import delete, select

from moorage.kit.db import Tx

from ..tables import history, hours, latest, sealed
from .history import day_bounds


async def forget(tx: Tx, devices: Collection[int], before: date) -> None:
    """Delete devices' rows of days before one, in both tiers; a block goes with its last day."""
    start, _end = day_bounds(before)
    mine = list(devices)
    await tx.execute(delete(history).where(history.c.device.in_(mine), history.c.at < start))
    await tx.execute(delete(sealed).where(sealed.c.device.in_(mine), sealed.c.until < before))


async def forget_others(tx: Tx, devices: Collection[int], before: date) -> None:
    """Delete the rows of all devices but these of days before one; a block with its last day."""
    start, _end = day_bounds(before)
    given = {"others": list(devices), "start": start, "before": before}
    await tx.execute(
        "DELETE FROM telemetry_history WHERE at < :start AND device <> ALL(:others)", given
    )
    await tx.execute(
        "DELETE FROM telemetry_sealed WHERE until < :before AND device <> ALL(:others)", given
    )


async def forget_hours(tx: Tx, before: Mapping[int, date], most: int) -> None:
    """Delete devices' hourly summaries of days before one, by device; at most so many days."""
    await tx.execute(
        "DELETE FROM telemetry_hours WHERE (device, day) IN ("
        "  SELECT kept.device, kept.day "
        "  FROM unnest(CAST(:devices AS int[]), CAST(:before AS date[])) AS own (device, before) "
        "  JOIN telemetry_hours AS kept ON kept.device = own.device AND kept.day < own.before "
        "  LIMIT :most)",
        {"devices": list(before), "before": list(before.values()), "most": most},
    )


async def stored_bytes(tx: Tx, devices: Collection[int]) -> int:
    """Count the bytes of devices' sealed rows and their hourly summaries."""
    found = await tx.execute(
        "SELECT coalesce(sum(octet_length(body)), 0)::bigint AS bytes FROM ("
        "  SELECT body FROM telemetry_sealed WHERE device = ANY(:devices)"
        "  UNION ALL SELECT body FROM telemetry_hours WHERE device = ANY(:devices)) AS bodies",
        {"devices": list(devices)},
    )
    count: int = found.scalar_one()
    return count


async def count_series(tx: Tx, devices: Collection[int]) -> int:
    """Count the series that devices have."""
    found = await tx.execute(
        "SELECT count(*) FROM telemetry_latest, jsonb_object_keys(state) "
        "WHERE device = ANY(:devices)",
        {"devices": list(devices)},
    )
    count: int = found.scalar_one()
    return count


async def devices_after(tx: Tx, number: int, most: int) -> list[int]:
    """List devices that sent something, by number."""
    query = select(latest.c.device).where(latest.c.device > number)
    return [row.device for row in await tx.execute(query.order_by(latest.c.device).limit(most))]


async def erase(tx: Tx, devices: Sequence[int]) -> None:
    """Delete all there is of devices: rows, summaries, latest states."""
    for table in (history, sealed, hours, latest):
        await tx.execute(delete(table).where(table.c.device.in_(devices)))
