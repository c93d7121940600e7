"""What happens to the logs by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def make_days(tx: Tx) -> None:
    """Make the partitions of the next days; hourly."""
    await service.make_days(tx)


async def drop_days(tx: Tx) -> None:
    """Drop days past their retention; hourly."""
    await service.drop_old_days(tx)
