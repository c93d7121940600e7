"""What the worker does for the gateway."""

from __future__ import annotations

from moorage.kit.db import Database

from . import service


async def clear_away(database: Database) -> None:
    """Delete answers that are no longer kept; to be run hourly."""
    async with database.begin() as tx:
        await service.clear_away(tx)
