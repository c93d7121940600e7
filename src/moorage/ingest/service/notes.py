"""What a door notes beside the messages: gathered, and written four times a second."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
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
# Refusals of one device, or of a stranger's address, that are listed one by one in a while: further
# ones are counted together. Else whoever makes up topics would fill the list, and the disk.
MOST_OF_ONE, ONE_BY_ONE_S = 40, 600.0
MORE = "There is more of this than is listed one by one."
# Connections of a device that end before all but its last ones are forgotten: one that calls itself
# by another name each time would leave a row each time. The devices that this is counted of.
MANY_ENDINGS, MOST_ENDING = 100, 100_000


class Notes:
    """Who was turned away, who came and went, which commands were taken and answered."""

    def __init__(self) -> None:
        self._refusals: dict[Refusal, int] = {}
        self._shed: dict[str, int] = {}
        self._presence: list[Presence] = []
        self._taken: list[UUID] = []
        self._answers: list[ledger.RawMessage] = []
        # What is listed one by one, of whom, and until when that counts.
        self._listed: dict[int | str, set[Refusal]] = {}
        self._listed_until = 0.0
        self._endings: Counter[int] = Counter()

    def __bool__(self) -> bool:
        noted = (self._refusals, self._shed, self._presence, self._taken, self._answers)
        return any(noted)

    def refused(self, refusal: Refusal, count: int = 1) -> None:
        """Count what was turned away."""
        refusal = self._bounded(refusal)
        if len(self._refusals) < MOST_REFUSALS or refusal in self._refusals:
            self._refusals[refusal] = self._refusals.get(refusal, 0) + count

    def _bounded(self, refusal: Refusal) -> Refusal:
        """Give what a refusal is listed as."""
        now = time.monotonic()
        if now >= self._listed_until:
            self._listed.clear()
            self._listed_until = now + ONE_BY_ONE_S
        whose = refusal.address if refusal.device is None else refusal.device
        listed = self._listed.get(whose)
        if listed is None and len(self._listed) < MOST_REFUSALS:
            listed = self._listed[whose] = set()
        if listed is not None and refusal in listed:
            return refusal
        if listed is None or len(listed) >= MOST_OF_ONE:
            return replace(refusal, detail=MORE, hint="")
        listed.add(refusal)
        return refusal

    def shed(self, reason: str, count: int) -> None:
        """Count messages that were not taken."""
        self._shed[reason] = self._shed.get(reason, 0) + count

    def present(self, event: Presence) -> None:
        """Note that a device connected or disconnected."""
        self._presence.append(event)
        if not event.connected and event.key_id is None:
            self._endings[event.device] += 1

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
            many = [number for number, count in self._endings.items() if count >= MANY_ENDINGS]
            put = partial(_put_presence, presence, listener, many)
            if not await _written(database, put):
                self._presence = presence + self._presence
            elif many or len(self._endings) > MOST_ENDING:
                self._endings.clear()


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


async def _put_presence(
    presence: Sequence[Presence], listener: UUID, many: Sequence[int], tx: Tx
) -> None:
    await sessions.record(tx, listener, [_event(p) for p in presence])
    if many:
        await sessions.forget_ended(tx, many)


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
        presence.key_id,
    )
