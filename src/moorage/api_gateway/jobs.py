"""What the worker does for the gateway."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def clear_away(tx: Tx) -> None:
    """Delete what is no longer kept; to be run hourly."""
    await service.clear_away(tx)
