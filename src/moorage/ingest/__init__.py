"""Device messages in, whatever the protocol."""

from .errors import MessageMalformed, MessageTooLarge, Overloaded, SenderUnknown, TooFast
from .ports import (
    Command,
    Credentials,
    Done,
    Host,
    Listening,
    Presence,
    Refusal,
    Transport,
    TransportKind,
    Uplink,
)
from .service import Door, Part, Process, split

__all__ = [
    "Command",
    "Credentials",
    "Done",
    "Door",
    "Host",
    "Listening",
    "MessageMalformed",
    "MessageTooLarge",
    "Overloaded",
    "Part",
    "Presence",
    "Process",
    "Refusal",
    "SenderUnknown",
    "TooFast",
    "Transport",
    "TransportKind",
    "Uplink",
    "split",
]
