"""The rules of devices."""

from . import inbox, registry, senders, transfer, watch

__all__ = ["inbox", "registry", "senders", "transfer", "watch"]
