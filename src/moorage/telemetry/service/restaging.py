"""Readings derived anew: staged beside those that stand, compared, put in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from moorage import ledger
from moorage.kit.db import Tx

from .. import store
from ..model import Change, Derived, Difference, Value
from .readings import TABLE, Keeper

_Points = dict[tuple[int, str], Value]


async def stage(tx: Tx, generation: UUID, partition: int, batch: Sequence[Derived]) -> Difference:
    """Keep what was derived anew apart, and tell how it differs from what stands."""
    if not batch:
        return Difference()
    keeper = Keeper(partition)
    rows = [row for message in batch for row in await keeper.rows_of(tx, message)]
    await store.stage(tx, generation, partition, rows)
    received = [message.received_us for message in batch]
    old, known = await store.rows_of(
        tx,
        partition,
        {(message.device, message.n) for message in batch},
        (store.from_us(min(received)), store.from_us(max(received))),
    )
    added = changed = removed = 0
    changes = []
    for message in batch:
        before: _Points = {
            (row.at_us, name): value
            for row in old.get((message.device, message.n), ())
            for name, value in zip(known[row.shape].names, row.values, strict=True)
        }
        after: _Points = {
            (point.at_us, name): value if isinstance(value, bool | str) else float(value)
            for point in message.points
            for name, value in point.values.items()
        }
        if before == after:
            continue
        added += len(after.keys() - before.keys())
        removed += len(before.keys() - after.keys())
        changed += sum(1 for key in before.keys() & after.keys() if before[key] != after[key])
        changes.append(
            Change(message.device, partition, message.n, _points(before), _points(after))
        )
    return Difference(added, changed, removed, changes)


def _points(values: _Points) -> list[Mapping[str, Any]]:
    by_time: dict[int, dict[str, Value]] = {}
    for (at_us, name), value in sorted(values.items(), key=lambda item: item[0]):
        by_time.setdefault(at_us, {})[name] = value
    return [{"at": store.from_us(at_us), "values": some} for at_us, some in by_time.items()]


async def put_in_place(tx: Tx, generation: UUID, received: tuple[datetime, datetime]) -> None:
    """Replace what stands of the staged messages, received in that period, in one step."""
    for day in await store.staged_days(tx, generation):
        await ledger.make_day_tables(tx, [TABLE], day, day)
    await store.put_in_place(tx, generation, received)


async def discard(tx: Tx, generation: UUID) -> None:
    """Forget what was derived anew."""
    await store.discard(tx, generation)
