"""What happens to readings by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def make_days(tx: Tx) -> None:
    """Make the partitions of the next days; hourly."""
    await service.make_days(tx)
