"""What happens to memberships by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def end_members(tx: Tx) -> None:
    """Take out of permission groups whose time there is up; every second."""
    await service.end_members(tx)
