"""What happens to applications by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def notice_ends(tx: Tx) -> None:
    """Tell of applications that have reached their end date; hourly."""
    await service.notice_ends(tx)
