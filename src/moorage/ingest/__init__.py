"""Device messages in, whatever the protocol."""

from .ports import Command, Credentials, Done, Host, Presence, Refusal, Transport, Uplink

__all__ = [
    "Command",
    "Credentials",
    "Done",
    "Host",
    "Presence",
    "Refusal",
    "Transport",
    "Uplink",
]
