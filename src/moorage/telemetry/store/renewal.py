"""Latest values, found anew in the history after a re-decode."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import select

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
SELECT at, n, flags, partition, shape, values FROM telemetry_history
WHERE device = :device AND shape IN (SELECT id FROM telemetry_shapes WHERE :name = ANY(names))
    AND (flags & :clock = 0) = :good
ORDER BY at DESC, n DESC LIMIT 1
"""


async def newest_values(tx: Tx, device: int, names: Collection[str]) -> dict[str, list[Any]]:
    """Find the value, time and unit of each series with the greatest good time, else of any time.

    A series that is found nowhere is left out.
    """
    found: dict[str, tuple[Kept, Shape]] = {}
    for good in (False, True):
        for name in names:
            given = {"device": device, "name": name, "clock": int(Flag.CLOCK), "good": good}
            for row in await tx.execute(_HOT, given):
                known = await get_shapes(tx, [row.shape])
                found[name] = kept_of(row, known), known[row.shape]
    await _look_in_blocks(tx, device, names, found)
    return {
        name: [kept.values[at := shape.names.index(name)], kept.at_us, shape.units[at]]
        for name, (kept, shape) in sorted(found.items())
    }


def _rank(kept: Kept) -> tuple[bool, int, int]:
    """Order rows: good times before others, the newest last."""
    return not kept.flags & Flag.CLOCK, kept.at_us, kept.n


async def _look_in_blocks(
    tx: Tx, device: int, names: Collection[str], found: dict[str, tuple[Kept, Shape]]
) -> None:
    """Walk the sealed blocks backwards until nothing newer can come of any series."""
    before = date.max
    while True:
        query = select(sealed.c.day, sealed.c.until, sealed.c.body).where(
            sealed.c.device == device, sealed.c.day < before
        )
        rows = (await tx.execute(query.order_by(sealed.c.day.desc()).limit(STEP_BLOCKS))).all()
        for row in rows:
            end_us = ((row.until - date(1970, 1, 1)).days + 1) * _DAY_US
            wanted = {name for name in names if not _settled(found.get(name), end_us)}
            if not wanted:
                return
            known = await get_shapes(tx, blocks.shapes_in(row.body))
            only = {shape.id for shape in known.values() if wanted & {*shape.names}}
            for kept in blocks.unpack(row.body, known, only=only) if only else ():
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
