"""Who is connected, since when, and why the last connection ended."""

from .model import Presence, PresenceEvent, PresenceFilter
from .service import beat, count_connected, list_presence, presence_of, record, start_listener

__all__ = [
    "Presence",
    "PresenceEvent",
    "PresenceFilter",
    "beat",
    "count_connected",
    "list_presence",
    "presence_of",
    "record",
    "start_listener",
]
