"""What happens to the logs by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def make_days(tx: Tx) -> None:
    """Make the partitions of the next days; hourly."""
    await service.make_days(tx)


async def drop_old(tx: Tx) -> None:
    """Drop what is past its retention; hourly."""
    await service.drop_old(tx)


async def seal(tx: Tx) -> None:
    """Rewrite the next stretch of a closed day into blocks; every few seconds."""
    await service.seal(tx)
