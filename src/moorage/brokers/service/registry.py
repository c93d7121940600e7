"""Which brokers may ask: all of them in memory, read anew as soon as one changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import structlog

from moorage import sources
from moorage.kit import secrets
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells

from .. import store
from ..errors import TokenRefused
from ..model import Registered

log = structlog.get_logger()

# A door that has not heard of the database for this long believes no token any more.
CUT_OFF_S = 10.0
NOTE_EVERY_S = 10.0
NOTE_ARRIVALS_EVERY_S = 0.25
_FACT = "brokers."


class Registry:
    """The brokers of the installation by their tokens, for one process."""

    def __init__(self, database: Database, doorbells: Doorbells) -> None:
        self._database = database
        self._doorbells = doorbells
        self._by_digest: dict[bytes, tuple[Registered, datetime | None]] = {}
        self._read = asyncio.Event()
        self._changed = asyncio.Event()
        self._changed.set()
        self._asked: set[UUID] = set()
        self._arrivals: dict[UUID, set[int]] = {}
        doorbells.on(FACTS_CHANNEL, self._facts)

    def _facts(self, names: str) -> None:
        if not names or any(name.startswith(_FACT) for name in names.split(",")):
            self._changed.set()

    async def find(self, token: str) -> Registered:
        """Give the broker whose token it is.

        Raises:
            TokenRefused: it is nobody's, or works no longer.
            DatabaseUnavailable: it cannot be told just now.
        """
        if self._doorbells.cut_off_s > CUT_OFF_S:
            raise DatabaseUnavailable
        if not self._read.is_set():
            try:
                async with asyncio.timeout(CUT_OFF_S):
                    await self._read.wait()
            except TimeoutError as late:
                raise DatabaseUnavailable from late
        found = self._by_digest.get(secrets.digest(token))
        if found is None or (found[1] is not None and found[1] <= datetime.now(UTC)):
            raise TokenRefused
        self._asked.add(found[0].id)
        return found[0]

    def signed_in(self, broker: Registered, number: int) -> None:
        """Note that a device is at a broker, so that its commands are sent there."""
        self._arrivals.setdefault(broker.id, set()).add(number)

    async def run(self) -> None:
        """Follow changes, and note who asks, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._note())
            tasks.create_task(self._note_arrivals())

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._database.begin() as tx:
                    known = await store.registered(tx)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self._changed.set()
                continue
            self._by_digest = {
                digest: (broker, until) for broker in known for digest, until in broker.digests
            }
            self._read.set()

    async def _note_arrivals(self) -> None:
        while True:
            await asyncio.sleep(NOTE_ARRIVALS_EVERY_S)
            arrivals, self._arrivals = self._arrivals, {}
            if not arrivals:
                continue
            try:
                async with self._database.begin() as tx:
                    await sources.signed_in(tx, arrivals)
            except DatabaseUnavailable:
                for broker_id, numbers in arrivals.items():
                    self._arrivals.setdefault(broker_id, set()).update(numbers)

    async def _note(self) -> None:
        while True:
            await asyncio.sleep(NOTE_EVERY_S)
            asked, self._asked = self._asked, set()
            if not asked:
                continue
            try:
                async with self._database.begin() as tx:
                    await store.note_asked(tx, asked)
            except DatabaseUnavailable:
                self._asked |= asked
