"""The only SQL about devices."""

from . import (
    called,
    claims,
    contacts,
    inbox,
    listing,
    past,
    photos,
    registry,
    senders,
    topics,
    watch,
)

__all__ = [
    "called",
    "claims",
    "contacts",
    "inbox",
    "listing",
    "past",
    "photos",
    "registry",
    "senders",
    "topics",
    "watch",
]
