"""The newest messages of many devices: the derived log, walked backwards in bounded steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from moorage import devices, groups, ledger
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import CursorInvalid
from moorage.organizations import Permission

from ..model import Derived, Recent
from .feed import entries_of

# One question looks at about so many messages, whether the caller may see them or not.
MOST_LOOKED_AT = 20_000
STEP_ENVELOPES = 8
# Entries stand in the order of commit, which is that of receipt but for so much.
_DISORDER = timedelta(minutes=1)
_NEWEST = ledger.Position(2**62, date.max)


@dataclass(slots=True)
class _Walk:
    """How far one partition has been walked back; `ahead` is read and not yet handed out."""

    partition: int
    at: ledger.Position
    ahead: list[tuple[ledger.Position, Derived]] = field(default_factory=list)
    began: bool = False
    ended: bool = False

    async def read_on(self, tx: Tx) -> list[Derived]:
        """Read the next step, which leaves `ahead` with its newest entry last."""
        log = ledger.LogName.DERIVED
        envelopes = await ledger.read_back(tx, log, self.partition, self.at, STEP_ENVELOPES)
        self.began, self.ended = True, not envelopes
        for envelope in reversed(envelopes):
            # Only the envelope in which the page before ended is read again.
            again = envelope.day == self.at.day and self.at.next < envelope.first + envelope.count
            for n, entry in enumerate(entries_of(envelope), envelope.first):
                if not again or n < self.at.next:
                    self.ahead.append((ledger.Position(n, envelope.day), entry))
        return [entry for _, entry in self.ahead]

    def take(self) -> Derived:
        """Hand out the newest entry."""
        self.at, entry = self.ahead.pop()
        return entry


async def recent_messages(
    tx: Tx,
    caller: Caller,
    *,
    limit: int,
    after: str | None = None,
    organization_id: UUID | None = None,
    application_id: UUID | None = None,
    device_id: UUID | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    problems_only: bool = False,
) -> pages.Page[Recent]:
    """Read the newest messages of all devices whose messages the caller may read.

    A page may be short and still have a next one: the cost of a question is bounded, not only its
    answer.

    Args:
        tx: the transaction.
        caller: who asks.
        limit: at most so many.
        after: the cursor of the page before.
        organization_id: only of its devices.
        application_id: only of its devices.
        device_id: only of this one.
        start: only what was received then or later.
        end: only what was received before.
        problems_only: only messages with a problem.

    Raises:
        ApplicationUnknown, DeviceUnknown, CursorInvalid.
    """
    if application_id is not None:
        await groups.get(tx, caller, application_id)
    only = None if device_id is None else {(await devices.get(tx, caller, device_id)).number}
    start_us = 0 if start is None else _us(start)
    end_us = _NEWEST.next if end is None else _us(end)
    over_us = start_us - _DISORDER // timedelta(microseconds=1)
    walks = _walks(await ledger.partitions_of(tx), after, end)
    names: dict[int, tuple[UUID, str]] = {}
    asked: set[int] = set()
    found: list[Recent] = []
    looked_at = 0
    while len(found) < limit:
        for walk in walks:
            if walk.ahead or walk.ended:
                continue
            # Every partition takes a step in each question, else it might never come further.
            if looked_at >= MOST_LOOKED_AT and walk.began:
                return pages.Page(found, _cursor(walks))
            entries = await walk.read_on(tx)
            looked_at += len(entries)
            new = {entry.device for entry in entries} - asked
            asked |= new
            if new := new if only is None else new & only:
                names |= await devices.names_seen(
                    tx, caller, new, Permission.READ_MESSAGES, application_id, organization_id
                )
        live = [walk for walk in walks if walk.ahead]
        if not live:
            return pages.Page(found)
        walk = max(live, key=lambda one: one.ahead[-1][1].received_us)
        entry = walk.take()
        if entry.received_us < over_us:
            return pages.Page(found)
        if (
            entry.device in names
            and start_us <= entry.received_us < end_us
            and (entry.problem is not None or not problems_only)
        ):
            found.append(Recent(walk.partition, *names[entry.device], entry))
    return pages.Page(found, _cursor(walks))


def _us(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000_000)


def _walks(partitions: Iterable[int], after: str | None, end: datetime | None) -> list[_Walk]:
    """Begin at the newest, or where a cursor says: day and position of each partition in turn."""
    # What is received just before midnight may stand in the next day.
    day = _NEWEST.day if end is None else (end + _DISORDER).astimezone(UTC).date()
    walks = [_Walk(partition, ledger.Position(_NEWEST.next, day)) for partition in partitions]
    if after is None:
        return walks
    marks = pages.decode_cursor(after, 2 * len(walks))
    for walk, day, n in zip(walks, marks[::2], marks[1::2], strict=True):
        if type(day) is not int or type(n) is not int or not 0 <= n <= _NEWEST.next:
            raise CursorInvalid
        try:
            walk.at = ledger.Position(n, date.fromordinal(day))
        except (ValueError, OverflowError) as wrong:
            raise CursorInvalid from wrong
    return walks


def _cursor(walks: Iterable[_Walk]) -> str:
    return pages.encode_cursor(
        [mark for walk in walks for mark in (walk.at.day.toordinal(), walk.at.next)]
    )
