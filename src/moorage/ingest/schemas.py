"""Bodies of the routes about messages in."""

from __future__ import annotations

from uuid import UUID

from moorage.kit.http import Instant, Out


class RefusalOut(Out):
    """Something a door turned away, counted."""

    id: UUID
    reason: str
    detail: str
    protocol: str
    address: str
    hint: str
    device_id: UUID | None
    organization_id: UUID | None
    first_at: Instant
    last_at: Instant
    count: int
