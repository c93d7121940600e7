"""The only SQL about devices."""

from . import contacts, listing, photos, registry, senders, watch

__all__ = ["contacts", "listing", "photos", "registry", "senders", "watch"]
