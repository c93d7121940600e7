"""The only SQL about devices."""

from . import contacts, listing, registry, senders

__all__ = ["contacts", "listing", "registry", "senders"]
