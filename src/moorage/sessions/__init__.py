"""Who is connected, since when, and why the last connection ended."""

from .model import KeptSession, Listener, Presence, PresenceEvent, PresenceFilter, RetainedMessage
from .service import (
    beat,
    bury,
    claim,
    count_connected,
    due_wills,
    keep,
    kept_of,
    list_listeners,
    list_presence,
    presence_of,
    record,
    release,
    start_listener,
    stop_listener,
)

__all__ = [
    "KeptSession",
    "Listener",
    "Presence",
    "PresenceEvent",
    "PresenceFilter",
    "RetainedMessage",
    "beat",
    "bury",
    "claim",
    "count_connected",
    "due_wills",
    "keep",
    "kept_of",
    "list_listeners",
    "list_presence",
    "presence_of",
    "record",
    "release",
    "start_listener",
    "stop_listener",
]
