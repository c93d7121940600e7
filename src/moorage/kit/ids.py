"""Identifiers: UUIDv7 (RFC 9562, section 5.7), so that they sort by the time they were made."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def uuid7() -> UUID:
    """Make a UUIDv7; later ones of one process compare greater."""
    return UUID(int=uuid_utils.uuid7().int)


def uuid7_bytes() -> bytes:
    """Make a UUIDv7 as its 16 bytes; the cheap form for the message path."""
    return uuid_utils.uuid7().bytes
