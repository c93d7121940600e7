"""A log in memory: for tests and for trying things out; what it holds ends with the process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from moorage.plugin import Appended, Envelope, Frame, Log, pack


class MemoryLog:
    """The `Log` port over lists."""

    def __init__(self) -> None:
        self._envelopes: dict[int, list[Envelope]] = {}
        self._next: dict[int, int] = {}
        self._keys: set[bytes] = set()

    async def append(self, partition: int, frames: Sequence[Frame]) -> Appended:
        """Keep frames together."""
        kept: list[bytes] = []
        repeats: set[int] = set()
        for index, frame in enumerate(frames):
            if frame.key is not None:
                if frame.key in self._keys:
                    repeats.add(index)
                    continue
                self._keys.add(frame.key)
            kept.append(frame.body)
        if not kept:
            return Appended(None, frozenset(repeats))
        first = self._next.get(partition, 1)
        self._next[partition] = first + len(kept)
        envelope = Envelope(first, len(kept), datetime.now(UTC).date(), pack(kept))
        self._envelopes.setdefault(partition, []).append(envelope)
        return Appended(first, frozenset(repeats))

    async def read(self, partition: int, after: int, limit: int) -> list[Envelope]:
        """Read from a position on, in order."""
        found: list[Envelope] = []
        count = 0
        for envelope in self._envelopes.get(partition, []):
            if envelope.first + envelope.count > after and count < limit:
                found.append(envelope)
                count += envelope.count
        return found

    async def trim(self, partition: int, before: int) -> None:
        """Forget envelopes that end before the position."""
        envelopes = self._envelopes.get(partition, [])
        self._envelopes[partition] = [e for e in envelopes if e.first + e.count > before]

    async def close(self) -> None:
        """Forget everything."""
        self._envelopes.clear()


class MemoryLogKind:
    """Opens a log in memory."""

    api_version = 1
    durable = False

    async def open(self, url: str) -> Log:
        """Give a new, empty log; there is no address to it."""
        return MemoryLog()


KIND = MemoryLogKind()
