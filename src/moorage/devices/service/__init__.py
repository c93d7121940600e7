"""The rules of devices."""

from . import registry, senders, transfer, watch

__all__ = ["registry", "senders", "transfer", "watch"]
