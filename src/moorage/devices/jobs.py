"""What happens to devices by the clock."""

from __future__ import annotations

from moorage.kit.db import Tx

from . import service


async def watch_silence(tx: Tx) -> None:
    """Open a notice for each device that has fallen silent; every 15 seconds."""
    await service.watch.watch_silence(tx)


async def drop_silent(tx: Tx) -> None:
    """Remove senders that wait in an inbox and have said nothing for a week; hourly."""
    await service.inbox.drop_silent(tx)


async def note_past(tx: Tx) -> None:
    """Write down which devices' contact or place has changed; every minute."""
    await service.past.note(tx)


async def forget_past(tx: Tx) -> None:
    """Forget what devices were longer ago than is kept; hourly."""
    await service.past.forget(tx)


async def trim_changes(tx: Tx) -> None:
    """Forget changes that every door and worker has read; every ten minutes."""
    await service.senders.trim_changes(tx)
