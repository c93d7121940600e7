"""What is out there, whose it is, and how it proves who it is."""

from .model import Sender

__all__ = ["Sender"]
