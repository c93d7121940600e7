"""What happens to presence by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def end_lost(tx: Tx) -> None:
    """End the connections of listeners that died; every five seconds."""
    await service.end_lost(tx)


async def end_traces(tx: Tx) -> None:
    """Remove what traces have left behind that ended without a word; every minute."""
    await service.end_left_behind(tx)


async def trim(tx: Tx) -> None:
    """Forget connections that ended long ago, and sessions that expired; daily."""
    await service.trim(tx)
