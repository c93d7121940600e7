"""Device messages in, whatever the protocol."""

from .errors import MessageMalformed, MessageTooLarge, Overloaded, SenderUnknown, TooFast
from .ports import Command, Credentials, Done, Host, Presence, Refusal, Transport, Uplink
from .service import Door, Part, Process, split

__all__ = [
    "Command",
    "Credentials",
    "Done",
    "Door",
    "Host",
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
    "Uplink",
    "split",
]
