"""What happens to targets by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def make_days(tx: Tx) -> None:
    """Make the partitions of receipts of the next days; hourly."""
    await service.make_days(tx)


async def drop_old_receipts(tx: Tx) -> None:
    """Drop receipts past what their targets keep; hourly."""
    await service.drop_old_receipts(tx)


async def trim_log(tx: Tx) -> None:
    """Keep the newest log entries of each target; hourly."""
    await service.trim_log(tx)
