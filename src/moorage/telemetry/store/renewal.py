"""Latest values, found anew in the history after a re-decode."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select

from moorage.kit.copying import to_us
from moorage.kit.db import Tx

from ..model import Flag, Shape
from ..tables import sealed
from . import blocks
from .blocks import Kept
from .history import get_shapes, kept_of

STALE_CHANNEL = "moorage_latest"
# Sealed blocks read at a time, the newest first.
STEP_BLOCKS = 16
_DAY_US = 86_400_000_000


async def take_stale(tx: Tx, partition: int, most: int) -> dict[int, list[str]]:
    """Take devices whose latest state must be made anew, with series they have got."""
    rows = await tx.execute(
        "DELETE FROM telemetry_stale WHERE device IN ("
        "SELECT device FROM telemetry_stale WHERE partition = :partition ORDER BY device "
        "LIMIT :most FOR UPDATE SKIP LOCKED) RETURNING device, names",
        {"partition": partition, "most": most},
    )
    return {row.device: list(row.names) for row in rows}


_HOT = """
SELECT wanted.device, wanted.name, h.* FROM unnest(
    CAST(:devices AS integer[]), CAST(:names AS text[])) AS wanted(device, name),
LATERAL (
    SELECT at, n, flags, partition, shape, values FROM telemetry_history
    WHERE device = wanted.device AND at <= :until
        AND shape IN (SELECT id FROM telemetry_shapes WHERE wanted.name = ANY(names))
        AND (flags & :clock = 0) = :good
    ORDER BY at DESC, n DESC LIMIT 1
) h
"""
_EVER = datetime.max.replace(tzinfo=UTC)


async def newest_values(
    tx: Tx, wanted: Mapping[int, Collection[str]], until: datetime = _EVER
) -> dict[int, dict[str, list[Any]]]:
    """Find the value, time and unit of each series with the greatest good time, else of any time.

    Args:
        tx: the transaction.
        wanted: the names of series, by device. One that is found nowhere is left out.
        until: what is later does not count.
    """
    found: dict[int, dict[str, tuple[Kept, Shape]]] = {device: {} for device in wanted}
    pairs = [(device, name) for device, names in wanted.items() for name in names]
    given: dict[str, Any] = {
        "devices": [device for device, _ in pairs],
        "names": [name for _, name in pairs],
        "until": until,
        "clock": int(Flag.CLOCK),
    }
    for good in (False, True):
        rows = (await tx.execute(_HOT, {**given, "good": good})).all() if pairs else []
        known = await get_shapes(tx, {row.shape for row in rows})
        for row in rows:
            found[row.device][row.name] = kept_of(row, known), known[row.shape]
    for device, names in wanted.items():
        await _look_in_blocks(tx, device, names, found[device], until)
    return {
        device: {
            name: [kept.values[at := shape.names.index(name)], kept.at_us, shape.units[at]]
            for name, (kept, shape) in sorted(values.items())
        }
        for device, values in found.items()
    }


def _rank(kept: Kept) -> tuple[bool, int, int]:
    """Order rows: good times before others, the newest last."""
    return not kept.flags & Flag.CLOCK, kept.at_us, kept.n


async def _look_in_blocks(
    tx: Tx,
    device: int,
    names: Collection[str],
    found: dict[str, tuple[Kept, Shape]],
    until: datetime,
) -> None:
    """Walk the sealed blocks backwards until nothing newer can come of any series."""
    last, until_us = until.astimezone(UTC).date(), to_us(until)
    before = date.max
    while names:
        query = select(sealed.c.day, sealed.c.until, sealed.c.body).where(
            sealed.c.device == device, sealed.c.day < before, sealed.c.day <= last
        )
        rows = (await tx.execute(query.order_by(sealed.c.day.desc()).limit(STEP_BLOCKS))).all()
        for row in rows:
            end_us = min(until_us, ((row.until - date(1970, 1, 1)).days + 1) * _DAY_US)
            wanted = {name for name in names if not _settled(found.get(name), end_us)}
            if not wanted:
                return
            known = await get_shapes(tx, blocks.shapes_in(row.body))
            only = {shape.id for shape in known.values() if wanted & {*shape.names}}
            if not only:
                continue
            for kept in blocks.unpack(row.body, known, end_us=until_us + 1, only=only):
                shape = known[kept.shape]
                for name in wanted.intersection(shape.names):
                    if name not in found or _rank(kept) >= _rank(found[name][0]):
                        found[name] = kept, shape
        if not rows:
            return
        before = rows[-1].day


def _settled(found: tuple[Kept, Shape] | None, end_us: int) -> bool:
    """Tell whether a good value was found that nothing before an instant can be newer than."""
    return found is not None and not found[0].flags & Flag.CLOCK and found[0].at_us >= end_us
