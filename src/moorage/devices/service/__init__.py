"""The rules of devices."""

from . import inbox, many, past, registry, senders, transfer, watch

__all__ = ["inbox", "many", "past", "registry", "senders", "transfer", "watch"]
