"""The live feed: what was just derived, to whoever follows its devices.

One `Feed` a process reads the derived log when the doorbell rings, once for all who follow, and
only while somebody does. A follower that cannot keep up loses its place, not the others theirs:
it is told so and reads on from the history.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import structlog

from moorage import ledger
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from ..model import Derived

log = structlog.get_logger()
BATCH = 5_000
# A pause between two looks at the log: at high rates a look costs more than what it finds.
GATHER_S = 0.004
LONGEST_QUEUE = 2_000
# How far back a follower may resume.
LONGEST_RESUME = 20_000


class _Head(msgspec.Struct, array_like=True, gc=False):
    """As much of an entry as tells whose it is; the rest is passed over."""

    n: int
    device: int


_entries = msgspec.msgpack.Decoder(list[Derived])
_heads = msgspec.msgpack.Decoder(list[_Head])
_raw = msgspec.msgpack.Decoder(list[msgspec.Raw])
_entry = msgspec.msgpack.Decoder(Derived)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands in the derived log."""

    partition: int
    n: int

    def __str__(self) -> str:
        """Write it as text."""
        return f"{self.partition}:{self.n}"

    @classmethod
    def read(cls, text: str | None) -> Place | None:
        """Read it from text; None if it is none of ours."""
        partition, _, n = (text or "").partition(":")
        if partition.isdecimal() and n.isdecimal() and len(text or "") < 24:
            return cls(int(partition), int(n))
        return None


def read_id(text: str | None) -> dict[int, int]:
    """Read an event's id: how far each partition was shown; empty if it is none of ours."""
    places = [Place.read(part) for part in (text or "")[:4_000].split("-")]
    return {place.partition: place.n for place in places if place is not None}


def write_id(shown: Mapping[int, int]) -> str:
    """Write an event's id, by which a client resumes."""
    return "-".join(f"{partition}:{n}" for partition, n in shown.items())


@dataclass(eq=False, slots=True)
class Follower:
    """One who follows devices.

    Attributes:
        numbers: the devices, and their public ids.
        shown: the last entry of each partition that it need not be shown again.
        lost: entries were left out.
        rights_changed: somebody's rights or devices changed, so that it must be asked anew what
            may be followed.
    """

    numbers: Mapping[int, UUID]
    shown: dict[int, int] = field(default_factory=dict)
    waiting: list[tuple[Place, Derived]] = field(default_factory=list)
    lost: bool = False
    rights_changed: bool = False
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, place: Place, entry: Derived) -> None:
        """Queue an entry if there is room."""
        if len(self.waiting) < LONGEST_QUEUE:
            self.waiting.append((place, entry))
        else:
            self.lost = True
        self.bell.set()

    async def take(self, timeout_s: float) -> list[tuple[Place, Derived]]:
        """Take what waits, at the latest after `timeout_s`, then perhaps nothing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.bell.wait()
        self.bell.clear()
        taken, self.waiting = self.waiting, []
        return taken


class Feed:
    """Reads the derived log for the followers of one process."""

    def __init__(self, database: Database, doorbells: Doorbells) -> None:
        self._database = database
        self._followers: set[Follower] = set()
        self._by_number: dict[int, set[Follower]] = {}
        self._positions: dict[int, ledger.Position] = {}
        self._bell = asyncio.Event()
        doorbells.on(ledger.CHANNEL[ledger.LogName.DERIVED], lambda _payload: self._bell.set())
        doorbells.on_rights(self._ask_anew)

    def _ask_anew(self) -> None:
        for follower in self._followers:
            follower.rights_changed = True
            follower.bell.set()

    @contextlib.contextmanager
    def follow(self, numbers: Mapping[int, UUID]) -> Iterator[Follower]:
        """Follow devices for the length of the block."""
        follower = Follower(numbers)
        if not self._followers:
            self._positions.clear()
        self._followers.add(follower)
        self._enter(follower)
        self._bell.set()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            self._leave(follower)

    def follow_others(self, follower: Follower, numbers: Mapping[int, UUID]) -> None:
        """Let a follower follow other devices from now on."""
        self._leave(follower)
        follower.numbers = numbers
        self._enter(follower)

    def _enter(self, follower: Follower) -> None:
        follower.shown = {p: at.next - 1 for p, at in self._positions.items()} | follower.shown
        for number in follower.numbers:
            self._by_number.setdefault(number, set()).add(follower)

    def _leave(self, follower: Follower) -> None:
        for number in follower.numbers:
            others = self._by_number[number]
            others.discard(follower)
            if not others:
                del self._by_number[number]

    async def run(self) -> None:
        """Serve followers until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            if not self._followers:
                continue
            try:
                if await self.look():
                    self._bell.set()
                await asyncio.sleep(GATHER_S)
            except DatabaseUnavailable as lost:
                log.warning("feed_interrupted", error=str(lost))
                await asyncio.sleep(0.5)
                self._bell.set()

    async def look(self) -> bool:
        """Read what is new in every partition; tell whether there may be more."""
        more = False
        async with self._database.begin() as tx:
            if not self._positions:
                for partition in await ledger.partitions_of(tx):
                    self._positions[partition] = await ledger.end_of(
                        tx, ledger.LogName.DERIVED, partition
                    )
                for follower in self._followers:
                    for partition, end in self._positions.items():
                        follower.shown.setdefault(partition, end.next - 1)
            for partition, position in self._positions.items():
                envelopes = await ledger.read(
                    tx, ledger.LogName.DERIVED, partition, position, BATCH
                )
                for envelope in envelopes:
                    self._hand_out(partition, envelope, position.next)
                if envelopes:
                    now = self._positions[partition] = ledger.after(envelopes[-1])
                    more = more or not ledger.at_end(now.next - position.next)
        return more

    def _hand_out(self, partition: int, envelope: ledger.Envelope, after: int) -> None:
        for n, entry in entries_among(envelope, self._by_number.keys()):
            if n >= after:
                for follower in self._by_number[entry.device]:
                    follower.offer(Place(partition, n), entry)

    async def missed(
        self, numbers: Collection[int], shown: Mapping[int, int]
    ) -> list[tuple[Place, Derived]]:
        """Read what came after what was shown, for a follower that resumes: the newest part."""
        found: list[tuple[Place, Derived]] = []
        async with self._database.begin() as tx:
            for partition in await ledger.partitions_of(tx):
                if partition in shown:
                    found += await self._missed(tx, partition, numbers, shown[partition])
        return found

    async def _missed(
        self, tx: Tx, partition: int, numbers: Collection[int], shown: int
    ) -> list[tuple[Place, Derived]]:
        found: list[tuple[Place, Derived]] = []
        derived = ledger.LogName.DERIVED
        end = await ledger.end_of(tx, derived, partition)
        start = max(shown + 1, end.next - LONGEST_RESUME)
        position = ledger.Position(start, ledger.FIRST_DAY)
        while envelopes := await ledger.read(tx, derived, partition, position, BATCH):
            for envelope in envelopes:
                found += [
                    (Place(partition, n), entry)
                    for n, entry in entries_among(envelope, numbers)
                    if n >= start
                ]
            position = ledger.after(envelopes[-1])
        return found


def entries_of(envelope: ledger.Envelope) -> list[Derived]:
    """Decode an envelope of the derived log."""
    return _entries.decode(ledger.unpack(envelope.body))


def devices_in(envelope: ledger.Envelope) -> list[int]:
    """List whose the entries of an envelope of the derived log are, in order."""
    return [head.device for head in _heads.decode(ledger.unpack(envelope.body))]


def entries_among(envelope: ledger.Envelope, numbers: Collection[int]) -> list[tuple[int, Derived]]:
    """Decode the entries of some devices only, each with its position in the derived log."""
    body = ledger.unpack(envelope.body)
    wanted = [i for i, head in enumerate(_heads.decode(body)) if head.device in numbers]
    if not wanted:
        return []
    raw = _raw.decode(body)
    return [(envelope.first + i, _entry.decode(raw[i])) for i in wanted]
