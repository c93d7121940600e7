"""What happens to tasks by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def trim(tx: Tx) -> None:
    """Forget tasks that ended long ago; daily."""
    await service.trim(tx)
