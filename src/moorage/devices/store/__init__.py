"""The only SQL about devices."""

from . import claims, contacts, inbox, listing, past, photos, registry, senders, watch

__all__ = [
    "claims",
    "contacts",
    "inbox",
    "listing",
    "past",
    "photos",
    "registry",
    "senders",
    "watch",
]
