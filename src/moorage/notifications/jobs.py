"""What happens to notices by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def trim(tx: Tx) -> None:
    """Forget notices cleared long ago; daily."""
    await service.trim(tx)
