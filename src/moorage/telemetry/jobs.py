"""What happens to readings by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def make_days(tx: Tx) -> None:
    """Make the partitions of the next days; hourly."""
    await service.make_days(tx)


async def drop_old(tx: Tx) -> None:
    """Delete readings and summaries past their retention; hourly."""
    await service.drop_old(tx)


async def erase_removed(tx: Tx) -> None:
    """Erase what removed devices sent; hourly."""
    await service.erase_removed(tx)
