"""The only SQL about devices."""

from . import (
    called,
    certificates,
    claims,
    contacts,
    inbox,
    listing,
    owners,
    past,
    photos,
    registry,
    senders,
    topics,
    watch,
)

__all__ = [
    "called",
    "certificates",
    "claims",
    "contacts",
    "inbox",
    "listing",
    "owners",
    "past",
    "photos",
    "registry",
    "senders",
    "topics",
    "watch",
]
