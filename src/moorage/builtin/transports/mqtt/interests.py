"""What a listener tells the others of what is subscribed to here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from uuid import UUID

from .sessions import SERVICES

# A space whose application has more filters is told as a whole, until half of them are left.
_MOST_FILTERS = 1_000
_ALL = "#"
_SHARED = "$share/"

Interest = tuple[UUID | None, str]
"""The application whose topics a filter is about, None for those that services see; the filter."""


class _Space:
    """The filters of one space."""

    def __init__(self) -> None:
        self.sessions: Counter[str] = Counter()
        self.is_whole = False
        self.told: set[str] = set()

    def wanted(self) -> set[str]:
        """Give what is to be told."""
        count = len(self.sessions)
        self.is_whole = count > (_MOST_FILTERS // 2 if self.is_whole else _MOST_FILTERS)
        if not self.is_whole:
            return set(self.sessions)
        # A group has its turn by its own filter, also where all is heard anyway.
        return {_ALL, *(one for one in self.sessions if one.startswith(_SHARED))}


class Interests:
    """The filters of those topics that may be published to at other listeners."""

    def __init__(self) -> None:
        self._spaces: dict[UUID | None, _Space] = {}
        self._changed: set[UUID | None] = set()

    @property
    def told(self) -> list[Interest]:
        """What the others were told, in all."""
        return [(key, one) for key, space in self._spaces.items() for one in space.told]

    def count(self, space: Hashable, topic_filter: str, change: int) -> None:
        """Note that a session has begun (1) or ceased (-1) to subscribe to a filter."""
        if isinstance(space, UUID):
            key: UUID | None = space
        elif space == SERVICES:
            key = None
        else:
            return  # A device's own topics are at its home.
        sessions = self._spaces.setdefault(key, _Space()).sessions
        sessions[topic_filter] += change
        if sessions[topic_filter] <= 0:
            del sessions[topic_filter]
        self._changed.add(key)

    def take_changes(self) -> tuple[list[Interest], list[Interest]]:
        """Give what has come and what has gone since this was asked last."""
        added: list[Interest] = []
        removed: list[Interest] = []
        changed, self._changed = self._changed, set()
        for key in changed:
            space = self._spaces[key]
            now = space.wanted()
            added += ((key, one) for one in now - space.told)
            removed += ((key, one) for one in space.told - now)
            space.told = now
            if not now:
                del self._spaces[key]
        return added, removed
