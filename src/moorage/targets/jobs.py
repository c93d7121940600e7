"""What happens to targets by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def trim_log(tx: Tx) -> None:
    """Keep the newest log entries of each target; hourly."""
    await service.trim_log(tx)
