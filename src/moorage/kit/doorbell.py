"""NOTIFY as a doorbell: it says that there is something to read, never what."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

from moorage.kit.db import FACTS_CHANNEL, Database

log = structlog.get_logger()

Ring = Callable[[str], None]
# Facts after which somebody may see other devices, or nothing any more.
_ABOUT_RIGHTS = (
    "devices.", "groups.", "organizations.", "users.", "oauth.access_ended", "oauth.client_changed",
    "oauth.client_removed",
)  # fmt: skip


class Doorbells:
    """Listen on channels; ring every listener when a channel rings and after each reconnect.

    A reconnect rings everything with an empty payload, since rings may have been missed.
    """

    def __init__(self, database: Database, *, name: str = "moorage-doorbell") -> None:
        self._database = database
        self._name = name
        self._rings: dict[str, list[Ring]] = defaultdict(list)
        self._last_seen = time.monotonic()

    def on(self, channel: str, ring: Ring) -> None:
        """Call `ring(payload)` when `channel` rings; to be called before `run`."""
        self._rings[channel].append(ring)

    def on_rights(self, ring: Callable[[], None]) -> None:
        """Call `ring` when somebody may see other devices than before; before `run`."""

        def told(names: str) -> None:
            if not names or any(name.startswith(_ABOUT_RIGHTS) for name in names.split(",")):
                ring()

        self.on(FACTS_CHANNEL, told)
        self.on("moorage_devices", lambda _payload: ring())

    @property
    def cut_off_s(self) -> float:
        """Seconds since the database was last heard of; 0 to 2 while all is well."""
        return max(0.0, time.monotonic() - self._last_seen)

    async def run(self) -> None:
        """Listen until cancelled; reconnects by itself."""
        while True:
            try:
                async with await self._database.connect(name=self._name) as connection:
                    for channel in self._rings:
                        await connection.execute(
                            sql.SQL("LISTEN {}").format(sql.Identifier(channel))
                        )
                    self._ring_all()
                    while True:
                        async for notice in connection.notifies(timeout=1.0):
                            self._last_seen = time.monotonic()
                            for ring in self._rings[notice.channel]:
                                ring(notice.payload)
                        await connection.execute("SELECT 1")
                        self._last_seen = time.monotonic()
            except (psycopg.Error, OSError) as lost:
                log.warning("doorbell_lost", error=str(lost))
                await asyncio.sleep(0.5)

    def _ring_all(self) -> None:
        self._last_seen = time.monotonic()
        for rings in self._rings.values():
            for ring in rings:
                ring("")
