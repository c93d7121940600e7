"""What people look at while connections are open: figures, and the packets of traced devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from moorage import sessions
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells

# A pause between two writes: a packet is seen so much later.
GATHER_S = 0.1
TRY_AGAIN_S = 0.5
# A watch whose process died rings no bell.
LOOK_EVERY_S = 5.0
# Packets of a device between two writes; a person reads less.
MOST_PACKETS = 200

Measure = Callable[[Collection[int], bool], Sequence[sessions.Measured]]
Trace = Callable[[Mapping[int, frozenset[str]]], None]
End = Callable[[sessions.Ending], None]


class _Observer(NamedTuple):
    """What a transport has given to `observe`."""

    measure: Measure
    trace: Trace
    end: End


@dataclass(slots=True)
class _Seen:
    """Packets of a device that are to be written."""

    packets: list[sessions.TracedPacket] = field(default_factory=list)
    dropped: int = 0


class Observing:
    """Tells transports what is looked at, and writes what they see.

    Args:
        database: where to.
        doorbells: tell who looks at what.
        listener: gives by which id this process lives as a listener; None where it is none.
    """

    def __init__(
        self, database: Database, doorbells: Doorbells, listener: Callable[[], UUID | None]
    ) -> None:
        self._database = database
        self._listener = listener
        self._observers: list[_Observer] = []
        self._watched: Mapping[int, frozenset[str]] = {}
        self._to_measure: set[int] = set()
        self._measures_programs = False
        self._seen: dict[int, _Seen] = {}
        self._written = 0
        self._look = True  # Whose packets are watched is to be read.
        self._bell = asyncio.Event()
        doorbells.on(sessions.WATCHES_CHANNEL, lambda _payload: self._look_anew())
        doorbells.on(sessions.MEASURE_CHANNEL, self._asked)
        doorbells.on(sessions.ENDINGS_CHANNEL, self._end)

    def observe(self, measure: Measure, trace: Trace, end: End) -> None:
        """Hand over what a transport is asked; as `Host.observe`."""
        self._observers.append(_Observer(measure, trace, end))
        self._look_anew()

    def traced(self, device: int, packet: sessions.TracedPacket) -> None:
        """Show a packet to those who watch a device; dropped and counted if they are too many."""
        seen = self._seen.setdefault(device, _Seen())
        if len(seen.packets) < MOST_PACKETS:
            seen.packets.append(packet)
        else:
            seen.dropped += 1
        self._bell.set()

    async def run(self) -> None:
        """Write what is seen until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S if self._watched else None):
                    await self._bell.wait()
            except TimeoutError:
                self._look = True
            self._bell.clear()
            batches = self._take()
            try:
                await self._turn(batches)
                await asyncio.sleep(GATHER_S)
            except DatabaseUnavailable:
                for batch in batches:
                    seen = self._seen.setdefault(batch.number, _Seen())
                    seen.dropped += batch.dropped + len(batch.packets)
                self._bell.set()
                await asyncio.sleep(TRY_AGAIN_S)

    def _look_anew(self) -> None:
        if self._observers:
            self._look = True
            self._bell.set()

    def _asked(self, whose: str) -> None:
        if not self._observers or not whose:
            return
        if whose == sessions.PROGRAMS:
            self._measures_programs = True
        else:
            self._to_measure.add(int(whose))
        self._bell.set()

    def _end(self, payload: str) -> None:
        # After a reconnect it rings without a name: who still wants it asks again.
        if payload:
            ending = sessions.read_ending(payload)
            for observer in self._observers:
                observer.end(ending)

    async def _turn(self, batches: Sequence[sessions.TracedBatch]) -> None:
        """Read what is looked at, and write what was seen of it. Raises DatabaseUnavailable."""
        numbers, self._to_measure = self._to_measure, set()
        programs, self._measures_programs = self._measures_programs, False
        measured = [
            one for observer in self._observers for one in observer.measure(numbers, programs)
        ]
        async with self._database.begin() as tx:
            watched = await sessions.watched(tx) if self._look else self._watched
            if measured:
                await sessions.measured(tx, self._listener(), measured)
            if batches:
                await sessions.write_packets(tx, batches)
        self._look = False
        if watched != self._watched:
            self._watched = watched
            for observer in self._observers:
                observer.trace(watched)

    def _take(self) -> list[sessions.TracedBatch]:
        """Take what was seen, as it is written; what is seen before this process lives is not."""
        seen, self._seen = self._seen, {}
        listener = self._listener()
        if listener is None:
            return []
        batches = []
        for number, one in seen.items():
            self._written += 1
            packets = tuple(one.packets)
            batches.append(
                sessions.TracedBatch(number, listener, self._written, packets, one.dropped)
            )
        return batches
