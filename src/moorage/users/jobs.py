"""What the worker does for people's sessions and links."""

from __future__ import annotations

from moorage.kit.db import Database

from . import service


async def clear_away(database: Database) -> None:
    """Delete sessions, links and counts that are over; to be run hourly."""
    async with database.begin() as tx:
        await service.clear_away(tx)
