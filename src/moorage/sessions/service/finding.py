"""What devices find again where they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from moorage.kit.db import Database

from .. import store
from ..model import KeptSession, Listener, RetainedMessage
from .connections import claim, kept_of


@dataclass(frozen=True, slots=True)
class Homecoming:
    """What came of asking for devices to be at home at a listener.

    Attributes:
        homes: the epochs of those that are.
        elsewhere: where others are; those that are nowhere are gone.
        kept: their sessions.
        retained: their retained messages.
    """

    homes: dict[int, int]
    elsewhere: dict[int, Listener]
    kept: list[KeptSession]
    retained: list[RetainedMessage]


class Finder:
    """Brings devices home, those of one turn together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asks = store.finder.Finder(database)

    async def find(self, listener_id: UUID, numbers: Sequence[int]) -> Homecoming:
        """Make a listener the home of devices that have none. Raises DatabaseUnavailable."""
        homes, kept, retained = await self._asks.find(listener_id, numbers, datetime.now(UTC))
        missing = [number for number in numbers if number not in homes]
        if not missing:
            return Homecoming(homes, {}, kept, retained)
        # They are at home elsewhere, or one of them is gone.
        async with self._database.begin() as tx:
            await tx.execute("SET LOCAL synchronous_commit TO off")
            claimed, elsewhere = await claim(tx, listener_id, missing)
            more_kept, more_retained = await kept_of(tx, list(claimed))
        return Homecoming(homes | claimed, elsewhere, kept + more_kept, retained + more_retained)

    async def close(self) -> None:
        """Give the connection back."""
        await self._asks.close()
