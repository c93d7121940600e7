"""What happens to messages in by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def measure_quotas(tx: Tx) -> None:
    """Measure what is stored of those with a quota of it; every five minutes."""
    await service.measure_quotas(tx)


async def forget_refusals(tx: Tx) -> None:
    """Forget what was turned away long ago; daily."""
    await service.forget_refusals(tx)
