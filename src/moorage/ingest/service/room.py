"""Room on the disk: administrators are told as it fills; telemetry is refused before it is full."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import structlog

from moorage import notifications
from moorage.kit import disk
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.notifications import NewNotice, NoticeKind, SubjectKind

log = structlog.get_logger()

LOOK_EVERY_S = 2.0
# Telemetry is let in again when this share of the disk has become free, lest doors flutter.
SLACK = 0.005
INSTALLATION = UUID(int=0)


class Room:
    """Watches the file system that the ledger grows on.

    Args:
        path: on that file system; None where it is another machine's.
        warn_share: used share at which administrators are told.
        refuse_share: used share at which telemetry is refused.
    """

    def __init__(
        self, path: Path | None = None, *, warn_share: float = 0.85, refuse_share: float = 0.95
    ) -> None:
        self._path = path
        self._warn_share = warn_share
        self._refuse_share = refuse_share
        self._told: bool | None = None
        self.full = False

    def adjust(self, *, warn_share: float, refuse_share: float) -> None:
        """Take on other shares, from the next look on."""
        self._warn_share, self._refuse_share = warn_share, refuse_share

    async def watch(self, database: Database) -> None:
        """Look every few seconds until cancelled."""
        if self._path is None:
            return
        while True:
            used_share = disk.measure(self._path).used_share
            self._judge(used_share)
            filling = used_share >= self._warn_share
            if filling is not self._told:
                await self._tell(database, used_share, filling=filling)
            await asyncio.sleep(LOOK_EVERY_S)

    def _judge(self, used_share: float) -> None:
        limit = self._refuse_share - (SLACK if self.full else 0)
        if (full := used_share >= limit) is not self.full:
            self.full = full
            tell = log.error if full else log.info
            tell("telemetry_refused" if full else "telemetry_taken_again",
                 used_share=round(used_share, 3))  # fmt: skip

    async def _tell(self, database: Database, used_share: float, *, filling: bool) -> None:
        """Open or clear the notice; tried again at the next look if the database is away."""
        notice = NewNotice(
            NoticeKind.DISK_FILLING,
            SubjectKind.INSTALLATION,
            INSTALLATION,
            "Moorage",
            detail={"usedShare": round(used_share, 3), "refuseShare": self._refuse_share},
        )
        try:
            async with database.begin() as tx:
                if filling:
                    await notifications.open_all(tx, [notice])
                else:
                    await notifications.clear(tx, NoticeKind.DISK_FILLING, [INSTALLATION])
        except DatabaseUnavailable:
            return
        self._told = filling
