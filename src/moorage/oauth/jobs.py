"""What happens to OAuth by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def sweep(tx: Tx) -> None:
    """End what people allowed whose account was closed; it is refused since it was."""
    await service.sweep(tx)


async def clear_away(tx: Tx) -> None:
    """Delete what has ended; to be run hourly."""
    await service.clear_away(tx)
