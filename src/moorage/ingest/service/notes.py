"""What a door notes beside the messages: gathered, and written four times a second."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import structlog

from moorage import devices, ledger, operations, sessions
from moorage.kit.db import Database, DatabaseUnavailable, Tx

from .. import store
from ..ports import Presence, Refusal

log = structlog.get_logger()

MOST_REFUSALS = 10_000


class Notes:
    """Who was turned away, who came and went, which commands were taken and answered."""

    def __init__(self) -> None:
        self._refusals: dict[Refusal, int] = {}
        self._shed: dict[str, int] = {}
        self._presence: list[Presence] = []
        self._taken: list[UUID] = []
        self._answers: list[ledger.RawMessage] = []

    def __bool__(self) -> bool:
        noted = (self._refusals, self._shed, self._presence, self._taken, self._answers)
        return any(noted)

    def refused(self, refusal: Refusal, count: int = 1) -> None:
        """Count what was turned away."""
        if len(self._refusals) < MOST_REFUSALS or refusal in self._refusals:
            self._refusals[refusal] = self._refusals.get(refusal, 0) + count

    def shed(self, reason: str, count: int) -> None:
        """Count messages that were not taken."""
        self._shed[reason] = self._shed.get(reason, 0) + count

    def present(self, event: Presence) -> None:
        """Note that a device connected or disconnected."""
        self._presence.append(event)

    def taken(self, command_id: UUID) -> None:
        """Note that a device has acknowledged a command."""
        self._taken.append(command_id)

    def answered(self, answers: Sequence[ledger.RawMessage]) -> None:
        """Note what ends operations. The worker sees the same in the ledger, so none is lost."""
        self._answers += answers

    async def write(
        self, database: Database, senders: Mapping[int, devices.Sender], listener: UUID | None
    ) -> None:
        """Write what was noted, or keep it while the database is away.

        Args:
            database: where to.
            senders: whose refusals are whose.
            listener: who the connections are at; None notes none.
        """
        if not self:
            return
        refusals, self._refusals = self._refusals, {}
        shed, self._shed = self._shed, {}
        presence, self._presence = self._presence, []
        taken, self._taken = self._taken, []
        answers, self._answers = self._answers, []
        # Each kind by itself, so that what cannot be written takes nothing else with it.
        if refusals and not await _written(database, partial(_put_refusals, refusals, senders)):
            for refusal, count in refusals.items():
                self.refused(refusal, count)
        if shed and not await _written(database, partial(_put_shed, shed)):
            for reason, count in shed.items():
                self.shed(reason, count)
        if taken and not await _written(database, partial(_put_taken, taken)):
            self._taken = taken + self._taken
        if answers:
            await _written(database, partial(_put_answers, answers))
        if presence and listener is not None:
            put = partial(_put_presence, presence, listener)
            if not await _written(database, put):
                self._presence = presence + self._presence


async def _written(database: Database, put: Callable[[Tx], Awaitable[None]]) -> bool:
    """Write one kind of notes; False if the database is away, so that it must be tried again."""
    try:
        async with database.begin() as tx:
            await put(tx)
    except DatabaseUnavailable:
        return False
    except Exception:  # Tried again it would fail again, and stop all that is noted after it.
        log.exception("notes_lost")
    return True


async def _put_refusals(
    refusals: Mapping[Refusal, int], senders: Mapping[int, devices.Sender], tx: Tx
) -> None:
    counted = {
        refusal: (count, senders.get(refusal.device or 0)) for refusal, count in refusals.items()
    }
    await store.count_refusals(tx, counted)


async def _put_shed(shed: Mapping[str, int], tx: Tx) -> None:
    await store.add_shed(tx, shed)


async def _put_taken(taken: Sequence[UUID], tx: Tx) -> None:
    await operations.delivered(tx, taken)


async def _put_answers(answers: Sequence[ledger.RawMessage], tx: Tx) -> None:
    for one in answers:
        await operations.report_sent(tx, one.device, one.channel, one.payload, only_answers=True)


async def _put_presence(presence: Sequence[Presence], listener: UUID, tx: Tx) -> None:
    await sessions.record(tx, listener, [_event(p) for p in presence])


def _event(presence: Presence) -> sessions.PresenceEvent:
    return sessions.PresenceEvent(
        presence.device,
        presence.connected,
        datetime.fromtimestamp(presence.at_us / 1_000_000, UTC),
        presence.client_id,
        presence.protocol,
        presence.version,
        presence.address,
        presence.tls,
        presence.cause,
        presence.terms,
        presence.figures,
    )
