"""What the holder of a source notes: gathered, and written once a second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from moorage import notifications
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.text import storable
from moorage.notifications import NewNotice, NoticeKind, SubjectKind

from .. import store
from ..model import Health, LogEntry, Outcome, Share, Source, State

log = structlog.get_logger()

WRITE_EVERY_S = 1.0
BEAT_EVERY_S = 10.0
# Entries of the log in a second, of each outcome: the newest.
LOGGED = 20
LONGEST_TOPIC, LONGEST_EXCERPT = 500, 200
# Failures in a row after which people are told.
FAILURES_TO_TELL = 5


class Notes:
    """How one connection of a source fares and what it brought."""

    def __init__(self, source: Source, number: int = 0) -> None:
        self._source = source
        self._share = Share(source.id, number)
        self._health = replace(source.health, state=State.IDLE, since=datetime.now(UTC))
        self._counts = dict.fromkeys(Outcome, 0)
        self._entries = _no_entries()
        self._changed = True
        self._to_tell: bool | None = None
        self._failures = 0

    # --- How it fares -----------------------------------------------------

    def connected(self, error: str = "") -> None:
        """Note that the broker let us in; `error` says what it refuses all the same."""
        now = datetime.now(UTC)
        if self._health.state is not State.CONNECTED:
            log.info("source_connected", source_id=self._source.id)
            self._health = replace(
                self._health, state=State.CONNECTED, since=now, connected_at=now, retry_at=None
            )
        self._failures = 0
        self._to_tell = False
        self._health = replace(self._health, error=storable(error))
        self._changed = True

    def failing(self, error: str, retry_after_s: float) -> None:
        """Note that there is no connection, and when it is tried again."""
        now = datetime.now(UTC)
        self._failures += 1
        if self._health.state is not State.FAILING:
            log.warning("source_failing", source_id=self._source.id, error=error)
        if self._failures == FAILURES_TO_TELL:
            self._to_tell = True
        since = self._health.since if self._health.state is State.FAILING else now
        self._health = replace(
            self._health, state=State.FAILING, since=since, failed_at=now, error=storable(error),
            retry_at=now + timedelta(seconds=retry_after_s),
        )  # fmt: skip
        self._changed = True

    # --- What it brought --------------------------------------------------

    def message(
        self,
        outcome: Outcome,
        topic: str,
        payload: bytes,
        device_id: UUID | None = None,
        detail: str = "",
    ) -> None:
        """Note a message."""
        self._counts[outcome] += 1
        self._changed = True
        now = datetime.now(UTC)
        self._health = replace(self._health, last_message_at=now)
        excerpt = excerpt_of(payload) if outcome is Outcome.REFUSED else ""
        self._entries[outcome].append(
            LogEntry(
                0, now, outcome, storable(topic[:LONGEST_TOPIC]), device_id, len(payload),
                storable(detail), excerpt,
            )
        )  # fmt: skip

    def taken(self, messages: Sequence[tuple[str, bytes, UUID]]) -> None:
        """Note messages that are stored: topic, payload and device of each."""
        self._counts[Outcome.TAKEN] += len(messages)
        self._changed = True
        now = datetime.now(UTC)
        self._health = replace(self._health, last_message_at=now)
        self._entries[Outcome.TAKEN].extend(
            LogEntry(
                0, now, Outcome.TAKEN, storable(topic[:LONGEST_TOPIC]), device_id, len(payload),
                "", "",
            )
            for topic, payload, device_id in messages[-LOGGED:]
        )  # fmt: skip

    # --- Writing ----------------------------------------------------------

    async def write_for_ever(self, database: Database) -> None:
        """Write until cancelled, and once more then."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                is_due = self._changed or loop.time() >= due
                if is_due and await self._write(database):
                    due = loop.time() + BEAT_EVERY_S
                await asyncio.sleep(WRITE_EVERY_S)
        finally:
            await self._write(database)

    async def _write(self, database: Database) -> bool:
        """Write what is noted; False if it must be tried again."""
        counts, self._counts = self._counts, dict.fromkeys(Outcome, 0)
        entries, self._entries = self._entries, _no_entries()
        self._changed = False
        health, to_tell = self._health, self._to_tell
        more = {outcome.value: number for outcome, number in counts.items()}
        flat = sorted((e for kept in entries.values() for e in kept), key=lambda entry: entry.at)
        try:
            async with database.begin() as tx:
                await store.put_health(tx, self._share, health, more, flat)
                if to_tell is not None:
                    await self._tell(tx, to_tell, health)
        except DatabaseUnavailable:
            self._changed = True
            self._add_back(counts, entries)
            return False
        if to_tell is self._to_tell:
            self._to_tell = None
        return True

    def _add_back(
        self, counts: Mapping[Outcome, int], entries: Mapping[Outcome, deque[LogEntry]]
    ) -> None:
        for outcome in Outcome:
            self._counts[outcome] += counts[outcome]
            self._entries[outcome] = deque(entries[outcome] + self._entries[outcome], LOGGED)

    async def _tell(self, tx: Tx, fails: bool, health: Health) -> None:
        source = self._source
        if not fails:
            if not await store.fails_elsewhere(tx, self._share):
                await forget(tx, source)
            return
        notice = NewNotice(
            kind=NoticeKind.SOURCE_FAILING,
            subject_kind=SubjectKind.SOURCE,
            subject_id=source.id,
            subject_name=source.name,
            organization_id=source.organization_id,
            detail={"error": health.error},
        )
        await notifications.open_all(tx, [notice])


def _no_entries() -> dict[Outcome, deque[LogEntry]]:
    return {outcome: deque(maxlen=LOGGED) for outcome in Outcome}


async def forget(tx: Tx, source: Source) -> None:
    """Clear the notice of a source that works, is paused or goes."""
    await notifications.clear(tx, NoticeKind.SOURCE_FAILING, [source.id])


def excerpt_of(payload: bytes) -> str:
    """Give how a payload begins, bytes that are no text in hexadecimal."""
    head = payload[:LONGEST_EXCERPT]
    try:
        text = head.decode()
    except UnicodeDecodeError as wrong:
        # The cut may lie within a character.
        text = head[: wrong.start].decode() if wrong.start > len(head) - 4 else head.hex(" ")
    return storable(text)
