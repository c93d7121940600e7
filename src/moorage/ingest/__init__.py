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
from .service import RE_DECODE, Door, Part, Process, ReDecoder, split

__all__ = [
    "RE_DECODE",
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
    "ReDecoder",
    "Refusal",
    "SenderUnknown",
    "TooFast",
    "Transport",
    "TransportKind",
    "Uplink",
    "split",
]
