"""What the doors turned away, and who waits in the inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """One kind of refusal, counted."""

    id: UUID
    reason: str
    detail: str
    protocol: str
    address: str
    hint: str
    device_id: UUID | None
    organization_id: UUID | None
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class ReDecode:
    """What is to be decoded anew: messages received in a period, of devices or an application."""

    start: datetime
    end: datetime
    device_ids: tuple[UUID, ...] = ()
    application_id: UUID | None = None
