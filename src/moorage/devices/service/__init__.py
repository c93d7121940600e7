"""The rules of devices."""

from . import registry, senders

__all__ = ["registry", "senders"]
