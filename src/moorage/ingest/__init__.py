"""Device messages in, whatever the protocol."""

from .errors import (
    DiskFull,
    MessageMalformed,
    MessageTooLarge,
    Overloaded,
    SenderUnknown,
    TooFast,
    TooManyAttempts,
)
from .ports import (
    Command,
    Credentials,
    Done,
    Host,
    Listening,
    Presence,
    Print,
    Refusal,
    Transport,
    TransportKind,
    Uplink,
)
from .service import RE_DECODE, Door, Part, Process, ReDecoder, Room, print_of, split

__all__ = [
    "RE_DECODE",
    "Command",
    "Credentials",
    "DiskFull",
    "Done",
    "Door",
    "Host",
    "Listening",
    "MessageMalformed",
    "MessageTooLarge",
    "Overloaded",
    "Part",
    "Presence",
    "Print",
    "Process",
    "ReDecoder",
    "Refusal",
    "Room",
    "SenderUnknown",
    "TooFast",
    "TooManyAttempts",
    "Transport",
    "TransportKind",
    "Uplink",
    "print_of",
    "split",
]
