"""How long readings are kept, and what goes with a removed device."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from moorage import devices, groups
from moorage.kit.db import Tx

from .. import store

# Where an application does not say.
KEPT = timedelta(days=731)
CHUNK = 10_000


async def drop_old(tx: Tx) -> None:
    """Delete readings past their application's retention; for the schedule only."""
    periods = await groups.reading_periods(tx)
    numbers = await devices.numbers_in(tx, periods)
    for application_id, mine in numbers.items():
        await store.forget(tx, mine, (tx.now - periods[application_id]).date())
    own = [number for mine in numbers.values() for number in mine]
    await store.forget_others(tx, own, (tx.now - KEPT).date())


async def count_series(tx: Tx, numbers: Collection[int]) -> int:
    """Count the series that devices have; for quotas."""
    return await store.count_series(tx, numbers)


async def stored_bytes(tx: Tx, numbers: Collection[int]) -> int:
    """Count the bytes that devices' readings of closed days take; for quotas."""
    return await store.stored_bytes(tx, numbers)


async def erase_removed(tx: Tx) -> int:
    """Erase what removed devices sent; give how many there were; for the schedule only."""
    erased = last = 0
    while numbers := await store.devices_after(tx, last, CHUNK):
        last = numbers[-1]
        if gone := await devices.gone(tx, numbers):
            await store.erase(tx, gone)
            erased += len(gone)
    return erased
