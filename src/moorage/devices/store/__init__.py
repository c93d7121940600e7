"""The only SQL about devices."""

from . import claims, contacts, inbox, listing, photos, registry, senders, watch

__all__ = ["claims", "contacts", "inbox", "listing", "photos", "registry", "senders", "watch"]
