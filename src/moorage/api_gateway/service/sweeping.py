"""What the gateway no longer needs."""

from __future__ import annotations

from moorage.kit.db import Tx

from ..store import allowances, answers, usage


async def clear_away(tx: Tx) -> None:
    """Delete answers and usage no longer kept, and allowances that say nothing any more."""
    await answers.drop_old(tx)
    await allowances.drop_stale(tx)
    await usage.drop_old(tx)
