"""What happens to sources by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def trim_log(tx: Tx) -> None:
    """Keep the newest log entries of each source; every ten minutes."""
    await service.trim_log(tx)
