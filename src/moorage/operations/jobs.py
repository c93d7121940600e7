"""What happens to operations by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def end_overdue(tx: Tx) -> None:
    """End what was not taken or answered in time; every few seconds."""
    await service.end_overdue(tx)


async def trim(tx: Tx) -> None:
    """Forget what was finished long ago; every ten minutes."""
    await service.trim(tx)
