"""The public door for plugins: everything a plugin may import from Moorage."""

from moorage.devices import Sender
from moorage.ingest import (
    Command,
    Credentials,
    Done,
    Host,
    Presence,
    Refusal,
    Transport,
    Uplink,
)
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.ids import uuid7, uuid7_bytes
from moorage.ledger import Protocol, RawMessage

__all__ = [
    "Command",
    "Credentials",
    "Done",
    "Host",
    "Kind",
    "MoorageError",
    "Presence",
    "Protocol",
    "RawMessage",
    "Refusal",
    "Sender",
    "Transport",
    "Uplink",
    "uuid7",
    "uuid7_bytes",
]
