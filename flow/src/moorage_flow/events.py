"""Events as they travel through a query."""

from __future__ import annotations

from typing import Any

Kind = int
"""What an event means to the operators behind it."""

CURRENT, EXPIRED, TIMER, RESET = range(4)


class Event:
    """One event of one stream; `out` is its selected row, `group` its group's key."""

    __slots__ = ("data", "group", "kind", "out", "ts")

    def __init__(self, ts: int, data: list[Any], kind: Kind = CURRENT) -> None:
        self.ts = ts
        self.data = data
        self.kind = kind
        self.out: list[Any] = data
        self.group: str | None = None

    def copy(self, kind: Kind | None = None) -> Event:
        """Copy, as another kind if one is given."""
        event = Event(self.ts, self.data, self.kind if kind is None else kind)
        event.out = self.out
        event.group = self.group
        return event


class StateEvent:
    """The events a pattern has gathered or a join has paired: one chain for each position."""

    __slots__ = ("group", "kind", "out", "streams", "ts")

    def __init__(self, size: int, ts: int = -1, kind: Kind = CURRENT) -> None:
        self.ts = ts
        self.kind = kind
        self.streams: list[list[Event] | None] = [None] * size
        self.out: list[Any] = []
        self.group: str | None = None

    def copy(self, kind: Kind | None = None) -> StateEvent:
        """Copy, chains included, as another kind if one is given."""
        event = StateEvent(len(self.streams), self.ts, self.kind if kind is None else kind)
        event.streams = [None if chain is None else list(chain) for chain in self.streams]
        event.out = self.out
        event.group = self.group
        return event


AnyEvent = Event | StateEvent
Chunk = list[Any]
"""Events that travel together: `Event`s, or `StateEvent`s behind a pattern or join."""
