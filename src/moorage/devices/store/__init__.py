"""The only SQL about devices."""

from . import contacts, inbox, listing, photos, registry, senders, watch

__all__ = ["contacts", "inbox", "listing", "photos", "registry", "senders", "watch"]
