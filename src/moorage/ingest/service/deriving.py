"""Messages of the ledger, derived once more for whoever needs what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from moorage import decoders, ledger, telemetry
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells

from .decoding import Decoding


class Deriver:
    """Derives messages as decoders are now, and keeps nothing of it."""

    def __init__(
        self, database: Database, doorbells: Doorbells, workshop: decoders.Workshop
    ) -> None:
        self._database = database
        self._decoding = Decoding(workshop)
        # Several may ask at once: nobody forgets devices that another has just looked up. What is
        # known of them is used at the start of decoding, before anybody else gets a turn.
        self._learning = asyncio.Lock()
        doorbells.on("moorage_devices", lambda _payload: self._decoding.look_again())

    async def __call__(
        self, entries: Sequence[tuple[int, ledger.RawMessage]]
    ) -> list[telemetry.Derived]:
        """Derive messages, given with their positions, of devices that there are.

        Each is decoded as its device is set up.
        """
        await self._learn(entries)
        known = [entry for entry in entries if entry[1].device in self._decoding.contexts]
        self._decoding.failures.clear()
        return await self._decoding.decode(known)

    async def with_decoders(
        self, asked: Sequence[tuple[ledger.RawMessage, UUID]]
    ) -> list[tuple[telemetry.Derived, decoders.DecodeFailure | None]]:
        """Derive messages, each with the decoder named, in order; those that failed say why."""
        if not asked:
            return []
        await self._learn([(0, message) for message, _decoder in asked])
        return await self._decoding.decode_with(asked)

    async def _learn(self, entries: Sequence[tuple[int, ledger.RawMessage]]) -> None:
        async with self._learning, self._database.begin() as tx:
            await self._decoding.learn(tx, entries)
