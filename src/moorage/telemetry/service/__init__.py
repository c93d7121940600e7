"""The rules of readings."""

from .feed import Feed, Follower, Place, entries_of
from .readings import (
    MAX_SERIES,
    Keeper,
    aggregate,
    last_messages,
    latest,
    make_days,
    message,
    messages,
    newest_messages,
    readings,
    states,
)
from .recent import recent_messages

__all__ = [
    "MAX_SERIES",
    "Feed",
    "Follower",
    "Keeper",
    "Place",
    "aggregate",
    "entries_of",
    "last_messages",
    "latest",
    "make_days",
    "message",
    "messages",
    "newest_messages",
    "readings",
    "recent_messages",
    "states",
]
