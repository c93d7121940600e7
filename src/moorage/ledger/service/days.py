"""Days of the logs, which come and go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from moorage import devices, groups
from moorage.kit.db import Tx
from moorage.organizations import Kept

from .. import store
from ..model import LogName

# What was derived lives on in the history; its log is for consumers.
DERIVED_KEPT = timedelta(days=4)
# Where an application does not say.
KEPT = timedelta(days=90)


async def make_days(tx: Tx) -> None:
    """Make the logs' partitions for yesterday to three days ahead."""
    today = tx.now.date()
    await store.make_days(tx, today - timedelta(days=1), today + timedelta(days=3))


async def make_day_tables(tx: Tx, tables: Sequence[str], first: date, last: date) -> None:
    """Make day partitions for another slice's tables."""
    await store.make_day_tables(tx, tables, first, last)


async def day_tables(tx: Tx, table: str) -> dict[date, str]:
    """Name the day partitions of another slice's table, the oldest first."""
    return {day: store.day_table(table, day) for day in await store.days_of(tx, table)}


async def drop_day_table(tx: Tx, table: str, day: date) -> None:
    """Drop a day's partition of another slice's table; waits only a second for who uses it."""
    await store.drop_day(tx, table, day)


async def drop_old(tx: Tx) -> None:
    """Drop what is past its retention, and days that were rewritten into blocks.

    Messages are kept as long as the application of their device says, whole UTC days; what was
    derived lives on in the history, and its log goes once every consumer has read it.
    """
    today = tx.now.date()
    for day in await store.days_of(tx, store.TABLE[LogName.RAW].name):
        # Yesterday's may still be written by a transaction that began then.
        if day < today - timedelta(days=1) and await store.is_empty(tx, day):
            await store.drop_day(tx, store.TABLE[LogName.RAW].name, day)
    needed = await store.slowest(tx, LogName.DERIVED)
    for day in await store.days_of(tx, store.TABLE[LogName.DERIVED].name):
        if day < today - DERIVED_KEPT and (needed is None or day < needed.day):
            await store.drop_day(tx, store.TABLE[LogName.DERIVED].name, day)
    periods = await groups.periods(tx, Kept.MESSAGES)
    numbers = await devices.numbers_in(tx, periods)
    for application_id, mine in numbers.items():
        await store.forget_blocks(tx, mine, (tx.now - periods[application_id]).date())
    own = [number for mine in numbers.values() for number in mine]
    await store.forget_other_blocks(tx, own, (tx.now - KEPT).date())
    await store.forget(tx)
