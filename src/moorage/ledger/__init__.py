"""Every message as received, in order; the message log by default."""

from .model import Appended, Envelope, Frame, LogName, Position, Protocol, RawMessage

__all__ = ["Appended", "Envelope", "Frame", "LogName", "Position", "Protocol", "RawMessage"]
