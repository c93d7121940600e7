"""What happens to messages in by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def forget_refusals(tx: Tx) -> None:
    """Forget what was turned away long ago; daily."""
    await service.forget_refusals(tx)
