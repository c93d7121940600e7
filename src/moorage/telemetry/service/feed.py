"""The live feed: what was just derived, to whoever follows its devices.

One `Feed` a process reads the derived log when the doorbell rings, once for all who follow, and
only while somebody does. A follower that cannot keep up loses its place, not the others theirs:
it is told so and reads on from the history.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog

from moorage import ledger
from moorage.kit.db import Database, DatabaseUnavailable
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
    """Where an entry stands in the derived log; the id of its event."""

    partition: int
    n: int

    def __str__(self) -> str:
        """Write it as an event id."""
        return f"{self.partition}:{self.n}"

    @classmethod
    def read(cls, text: str | None) -> Place | None:
        """Read an event id; None if it is none of ours."""
        partition, _, n = (text or "").partition(":")
        if partition.isdecimal() and n.isdecimal() and len(text or "") < 24:
            return cls(int(partition), int(n))
        return None


@dataclass(eq=False, slots=True)
class Follower:
    """One who follows devices.

    `lost` tells that entries were left out; `rights_changed` that somebody's rights or devices
    did, so that it must be asked anew what may be followed.
    """

    numbers: frozenset[int]
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
        self._by_number: dict[int, list[Follower]] = {}
        self._positions: dict[int, ledger.Position] = {}
        self._bell = asyncio.Event()
        doorbells.on(ledger.CHANNEL[ledger.LogName.DERIVED], lambda _payload: self._bell.set())
        for channel in ("moorage_facts", "moorage_devices"):
            doorbells.on(channel, lambda _payload: self._ask_anew())

    def _ask_anew(self) -> None:
        for follower in self._followers:
            follower.rights_changed = True
            follower.bell.set()

    @contextlib.contextmanager
    def follow(self, numbers: Iterable[int]) -> Iterator[Follower]:
        """Follow devices for the length of the block."""
        follower = Follower(frozenset(numbers))
        if not self._followers:
            self._positions.clear()
        self._followers.add(follower)
        for number in follower.numbers:
            self._by_number.setdefault(number, []).append(follower)
        self._bell.set()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            for number in follower.numbers:
                self._by_number[number].remove(follower)
                if not self._by_number[number]:
                    del self._by_number[number]

    async def run(self) -> None:
        """Serve followers until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            if not self._followers:
                continue
            try:
                if await self._read_on():
                    self._bell.set()
                    await asyncio.sleep(GATHER_S)
            except DatabaseUnavailable as lost:
                log.warning("feed_interrupted", error=str(lost))
                await asyncio.sleep(0.5)
                self._bell.set()

    async def _read_on(self) -> bool:
        """Read what is new in every partition; tell whether there may be more."""
        more = False
        async with self._database.begin() as tx:
            if not self._positions:
                for partition in await ledger.partitions_of(tx):
                    self._positions[partition] = await ledger.end_of(
                        tx, ledger.LogName.DERIVED, partition
                    )
            for partition, position in self._positions.items():
                envelopes = await ledger.read(
                    tx, ledger.LogName.DERIVED, partition, position, BATCH
                )
                for envelope in envelopes:
                    self._hand_out(partition, envelope, position.next)
                if envelopes:
                    self._positions[partition] = ledger.after(envelopes[-1])
                    more = True
        return more

    def _hand_out(self, partition: int, envelope: ledger.Envelope, after: int) -> None:
        for n, entry in entries_among(envelope, self._by_number.keys()):
            if n >= after:
                for follower in self._by_number[entry.device]:
                    follower.offer(Place(partition, n), entry)

    async def missed(self, numbers: frozenset[int], after: Place) -> list[tuple[Place, Derived]]:
        """Read what came after a place, for a follower that resumes; at most the newest part."""
        found: list[tuple[Place, Derived]] = []
        async with self._database.begin() as tx:
            end = await ledger.end_of(tx, ledger.LogName.DERIVED, after.partition)
            start = max(after.n + 1, end.next - LONGEST_RESUME)
            position = ledger.Position(start, ledger.FIRST_DAY)
            while envelopes := await ledger.read(
                tx, ledger.LogName.DERIVED, after.partition, position, BATCH
            ):
                for envelope in envelopes:
                    found += [
                        (Place(after.partition, n), entry)
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
