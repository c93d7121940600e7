"""Who is connected, since when, and why the last connection ended."""

from .model import KeptSession, Presence, PresenceEvent, PresenceFilter, RetainedMessage
from .service import (
    beat,
    count_connected,
    keep,
    kept_of,
    list_presence,
    presence_of,
    record,
    start_listener,
)

__all__ = [
    "KeptSession",
    "Presence",
    "PresenceEvent",
    "PresenceFilter",
    "RetainedMessage",
    "beat",
    "count_connected",
    "keep",
    "kept_of",
    "list_presence",
    "presence_of",
    "record",
    "start_listener",
]
