"""The rules of readings."""

from .feed import Feed, Follower, Place, entries_of
from .readings import (
    MAX_SERIES,
    Keeper,
    aggregate,
    latest,
    make_days,
    message,
    messages,
    newest_messages,
    readings,
    states,
)
from .sealing import Sealer

__all__ = [
    "MAX_SERIES",
    "Feed",
    "Follower",
    "Keeper",
    "Place",
    "Sealer",
    "aggregate",
    "entries_of",
    "latest",
    "make_days",
    "message",
    "messages",
    "newest_messages",
    "readings",
    "states",
]
