"""What a door notes beside the messages: gathered, and written four times a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from moorage import devices, ledger, operations, sessions
from moorage.kit.db import Database, DatabaseUnavailable, Tx

from .. import store
from ..ports import Presence, Refusal

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
        noted = Notes()
        noted._refusals, self._refusals = self._refusals, {}
        noted._shed, self._shed = self._shed, {}
        noted._presence, self._presence = self._presence, []
        noted._taken, self._taken = self._taken, []
        noted._answers, self._answers = self._answers, []
        try:
            async with database.begin() as tx:
                await noted._put(tx, senders, listener)
        except DatabaseUnavailable:
            for refusal, count in noted._refusals.items():
                self.refused(refusal, count)
            for reason, count in noted._shed.items():
                self.shed(reason, count)
            self._presence = noted._presence + self._presence
            self._taken = noted._taken + self._taken

    async def _put(
        self, tx: Tx, senders: Mapping[int, devices.Sender], listener: UUID | None
    ) -> None:
        if self._refusals:
            counted = {
                refusal: (count, senders.get(refusal.device or 0))
                for refusal, count in self._refusals.items()
            }
            await store.count_refusals(tx, counted)
        if self._shed:
            await store.add_shed(tx, self._shed)
        if self._taken:
            await operations.delivered(tx, self._taken)
        for one in self._answers:
            await operations.report_sent(
                tx, one.device, one.channel, one.payload, only_answers=True
            )
        if self._presence and listener is not None:
            await sessions.record(tx, listener, [_event(p) for p in self._presence])


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
    )
