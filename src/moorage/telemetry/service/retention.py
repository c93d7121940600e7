"""How long readings are kept, and what goes with a removed device."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

from moorage import devices, groups
from moorage.kit.db import Tx
from moorage.organizations import Kept

from .. import store

# Where an application does not say.
KEPT = timedelta(days=731)
CHUNK = 10_000
# Days of a device that go in one run.
MOST_SUMMARIES = 50_000


async def drop_old(tx: Tx) -> None:
    """Delete readings and summaries past their application's retention; for the schedule only."""
    periods = await groups.periods(tx, Kept.READINGS)
    numbers = await devices.numbers_in(tx, periods)
    for application_id, mine in numbers.items():
        await store.forget(tx, mine, (tx.now - periods[application_id]).date())
    own = [number for mine in numbers.values() for number in mine]
    await store.forget_others(tx, own, (tx.now - KEPT).date())
    await _drop_summaries(tx, periods)


async def _drop_summaries(tx: Tx, reading_periods: Mapping[UUID, timedelta]) -> None:
    """Delete hourly summaries where somebody says for how long they are kept; else they stay.

    What readings there still are keeps its summaries, since questions over hours are answered from
    these alone. One run deletes so many at most; what is left goes with the next.
    """
    periods = {
        application_id: max(keep, reading_periods.get(application_id, KEPT))
        for application_id, keep in (await groups.periods(tx, Kept.SUMMARIES)).items()
    }
    numbers = await devices.numbers_in(tx, periods)
    before = {
        number: (tx.now - periods[application_id]).date()
        for application_id, mine in numbers.items()
        for number in mine
    }
    await store.forget_hours(tx, before, MOST_SUMMARIES)


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
