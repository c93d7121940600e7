"""One timer for the deadlines of all connections and sessions."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Generic, Protocol, TypeVar

_HORIZON = 60  # Seconds; what has gone meanwhile does not lie in the wheel for longer.


class Timed(Protocol):
    """Something with a deadline that may move while it lies in the wheel."""

    due_at: int


T = TypeVar("T", bound=Timed)


class Wheel(Generic[T]):
    """Buckets of one second; a deadline that moves later costs nothing until its bucket comes.

    `due_at` of an entry is the second it will be looked at, -1 if none.
    """

    def __init__(self, now: float) -> None:
        self._buckets: dict[int, dict[T, None]] = {}
        self._next = int(now)

    def put(self, entry: T, deadline: float) -> None:
        """Look at `entry` no later than the first second after `deadline`, perhaps earlier.

        An entry that lies in an earlier bucket stays there; whoever takes it out looks at the
        deadline that counts and puts it back.
        """
        second = min(max(ceil(deadline), self._next), self._next + _HORIZON)
        if not -1 < entry.due_at <= second:
            self.drop(entry)
            entry.due_at = second
            self._buckets.setdefault(second, {})[entry] = None

    def drop(self, entry: T) -> None:
        """Look at `entry` no more, and let go of it at once."""
        if entry.due_at > -1:
            self._buckets.get(entry.due_at, {}).pop(entry, None)
            entry.due_at = -1

    def due(self, now: float) -> Iterator[T]:
        """Take out what has come due."""
        while self._next <= now:
            second = self._next
            self._next += 1
            for entry in self._buckets.pop(second, ()):
                if entry.due_at == second:
                    entry.due_at = -1
                    yield entry
