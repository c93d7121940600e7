"""What the worker does for people's sessions and links."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def clear_away(tx: Tx) -> None:
    """Delete sessions, links and counts that are over; to be run hourly."""
    await service.clear_away(tx)
