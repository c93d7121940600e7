"""What the gateway no longer needs."""

from __future__ import annotations

from moorage.kit.db import Tx

from ..store import allowances, answers


async def clear_away(tx: Tx) -> None:
    """Delete answers that are no longer kept, and allowances that say nothing any more."""
    await answers.drop_old(tx)
    await allowances.drop_stale(tx)
