"""What the worker does for identity providers."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def clear_away(tx: Tx) -> None:
    """Delete attempts and requests for access that are over; to be run hourly."""
    await service.clear_away(tx)
