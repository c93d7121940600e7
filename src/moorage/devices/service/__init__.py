"""The rules of devices."""

from . import inbox, past, registry, senders, transfer, watch

__all__ = ["inbox", "past", "registry", "senders", "transfer", "watch"]
